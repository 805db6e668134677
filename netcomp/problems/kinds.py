"""What a problem's name may stand for: a class of problems, or a function that makes one."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from netcomp.errors import SpecError
from netcomp.problems.base import Problem

__all__ = ["ProblemMaker", "make_problem", "options_of", "read_problem"]

ProblemMaker = Callable[..., Problem]
"""A subclass of `Problem`, or a function that takes the options by name and returns one."""


def read_problem(found: Any, name: str) -> ProblemMaker:
    """Return what may make problems; raises `SpecError` naming problem.name for anything else."""
    derived = isinstance(found, type) and issubclass(found, Problem)
    if not derived and not isinstance(found, FunctionType):
        raise SpecError("problem.name", f"{name!r} is no problem")
    maker: ProblemMaker = found
    return maker


def options_of(maker: ProblemMaker) -> list[str]:
    """Return the names of the options a class or a function takes."""
    if isinstance(maker, type) and issubclass(maker, Problem):
        return list(maker.model_fields)
    return list(inspect.signature(maker).parameters)


def make_problem(maker: ProblemMaker, name: str, options: Mapping[str, Any]) -> Problem:
    """Return the problem with its options.

    Raises `SpecError` naming problem or problem.name where none comes of it, and pydantic's
    `ValidationError` for a value that is none of an option's.
    """
    if inspect.isabstract(maker):
        raise SpecError("problem.name", f"{name!r} cannot be made: it is abstract")
    if isinstance(maker, FunctionType):
        try:
            inspect.signature(maker).bind(**options)
        except TypeError as error:
            # Python's own words: "missing a required argument: 'width'".
            raise SpecError("problem", f"{maker.__name__}: {error}") from None
    problem: object = maker(**options)
    if not isinstance(problem, Problem):
        made = type(problem).__name__
        raise SpecError("problem.name", f"{name!r} makes a {made}, no problem")
    return problem
