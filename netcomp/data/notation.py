"""The notation of generators and splits, the one compressors have: a name and parameters.

    name [ ":" value { "," key "=" value } ]       dirichlet:alpha=0.5   synthetic:like=a9a
    a value without a key is the first parameter's  dirichlet:0.5

Where text is the only parameter it takes all that follows: `file:rows,of=ten`.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from netcomp.errors import SpecError

__all__ = ["head_of", "read_parameters", "spelled"]

Model = TypeVar("Model", bound=BaseModel)


def head_of(text: str) -> str:
    """Return the name that a notation begins with."""
    return text.partition(":")[0]


def read_parameters(kind: type[Model], text: str, field: str, *, head: str | None = None) -> Model:
    """Return `kind` with the parameters of `text`, a notation of it.

    `head` is the name that it begins with, `head_of` unless told. Raises `SpecError` naming
    `field` and the parameter that is wrong.
    """
    _, colon, rest = text[len(head_of(text) if head is None else head) :].partition(":")
    names = list(kind.model_fields)
    given: dict[str, str] = {}
    whole = len(names) == 1 and kind.model_fields[names[0]].annotation is str
    for position, piece in enumerate([rest] if whole else rest.split(",")) if colon else ():
        key, equals, value = piece.partition("=")
        if whole and key != names[0]:
            equals = ""
        if not equals and position == 0 and names:
            key, value = names[0], piece
        elif not equals:
            raise SpecError(field, f"{text!r}: {piece!r} is not of the form key=value")
        key = key.strip()
        if key not in names:
            known = ", ".join(names) or "none"
            raise SpecError(field, f"{text!r}: there is no parameter {key!r}; known: {known}")
        if key in given:
            raise SpecError(field, f"{text!r}: {key} is given twice")
        given[key] = value.strip()
    try:
        return kind(**given)
    except ValidationError as error:
        raise SpecError(field, f"{text!r}: {_said(error)}") from None


def spelled(name: str, model: BaseModel) -> str:
    """Return the notation of a model: every parameter with its key."""
    given = {key: value for key, value in model.model_dump().items() if value is not None}
    params = ",".join(f"{key}={value}" for key, value in given.items())
    return f"{name}:{params}" if params else name


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{key}=… is missing"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    return f"{key}: {message}, not {first['input']!r}" if key else message
