"""Laws about constants: no pair of points of the kit violates one.

A bound that is too small is found where the kit's points come near to it: along random ways, and
along those in which the gradients of f and of the f_i change most and least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from netcomp.constants import CONSTANTS, Constant, Constants
from netcomp.laws import Broken
from netcomp.problems.conformance.subject import Case, Pair, Subject, Vector

__all__ = [
    "convexity",
    "functional",
    "minimum",
    "samples",
    "sensible",
    "similarity",
    "smoothness",
]

_CLOSE: Final = 1e-7
_ROUNDING: Final = 1e-10
_LOCAL: Final = {"L", "mu", "calL", "L_sample", "sigma_sq"}
_STEPS: Final = 100
_GRADIENTS: Final = 5000


def sensible(subject: Subject) -> str:
    """Check that constants have known names, finite values and an origin.

    mu is positive and at most L, none is negative, and joint L is at most mean L_i.
    """
    told: set[str] = set()
    for case in subject.cases:
        for who, constants in _all(case):
            for name, constant in constants.items():
                if name not in (CONSTANTS if who == "f" else _LOCAL):
                    raise Broken(f"{case}, {who}: {name!r} is no constant of it")
                if not 0 <= constant.value < math.inf or (name == "mu" and constant.value == 0):
                    raise Broken(f"{case}, {who}: {name} = {constant.value}")
                if constant.origin not in ("exact", "bound", "estimated"):
                    raise Broken(f"{case}, {who}: {name} comes from {constant.origin!r}")
            pair = [constants[name].value for name in ("mu", "L") if name in constants]
            if pair and pair[0] > _grown(pair[-1]):
                raise Broken(f"{case}, {who}: mu is above L")
            told |= {f"joint {name}" if who == "f" else name for name in constants}
        mean = Constants.gather([dict(one.constants) for one in case.oracles], None, {})
        given = [one["L"].value for one in (case.joint, mean.known) if "L" in one]
        if given and given[0] > _grown(given[-1]):
            raise Broken(f"{case}: the joint L is above the mean of the L_i")
    return f"gives {', '.join(sorted(told)) or 'none'}"


def smoothness(subject: Subject) -> str:
    """Check that ‖∇f_i(x) - ∇f_i(y)‖ ≤ L_i ‖x - y‖, and so for f with the joint L."""
    nearest = 0.0
    for case in subject.cases:
        for pair, who, change, size, given in _changes(case):
            if "L" in given:
                seen = float(np.linalg.norm(change))
                nearest = max(nearest, _within(case, pair, f"L of {who}", seen, given["L"], size))
    return f"comes to {nearest:.3f} of L" if nearest else "gives none"


def convexity(subject: Subject) -> str:
    """Check that ⟨∇f_i(x) - ∇f_i(y), x - y⟩ ≥ mu_i ‖x - y‖² for every f_i that says a mu.

    And that ‖∇f(x)‖² ≥ 2 mu (f(x) - f(y)) for the joint mu at all points (PŁ, which strong
    convexity implies).
    """
    count = 0
    for case in subject.cases:
        for pair, who, change, size, given in _changes(case):
            if who == "f" or "mu" not in given:
                continue
            least = given["mu"].value * pair.distance**2
            seen = float(change @ (pair.x - pair.y))
            if seen < least * (1 - _CLOSE) - _ROUNDING * size * pair.distance:
                told = f"{seen:.6g} was seen where mu of {who} demands {least:.6g}"
                raise Broken(f"{case}, {pair.name}: {told}")
            count += 1
        if "mu" in case.joint:
            _dominated(case, case.joint["mu"].value)
            count += 1
    return f"{count} inequalities" if count else "gives none"


def _dominated(case: Case, mu: float) -> None:
    """Check the PŁ inequality against the lowest value seen."""
    points = [*(pair.x for pair in case.pairs), *(pair.y for pair in case.pairs), *_descent(case)]
    values = [case.mean_loss(x) for x in points]
    lowest, size = min(values), max(map(abs, values))
    for x, value in zip(points, values, strict=True):
        square = float(np.sum(case.mean_gradient(x) ** 2))
        if square < 2 * mu * (value - lowest) * (1 - _CLOSE) - _ROUNDING * mu * size:
            told = f"‖∇f‖² = {square:.6g} where f lies {value - lowest:.6g} above another value"
            raise Broken(f"{case}: {told}: the joint mu is not {mu:.6g}")


def samples(subject: Subject) -> str:
    """Check the constants of single samples, all rows of a worker enumerated.

    (1/m) Σ ‖δ_j - δ‖² ≤ calL² ‖x - y‖² and ‖δ_j‖ ≤ L_sample ‖x - y‖ with δ_j the change of
    ∇f_ij between x and y and δ their mean; (1/m) Σ ‖∇f_ij(x) - ∇f_i(x)‖² ≤ sigma_sq.
    """
    told: set[str] = set()
    for case in subject.cases:
        for worker, oracle in enumerate(case.oracles):
            if not oracle.rows:
                continue
            given = oracle.constants
            # Of many rows fewer pairs: each costs two gradients a row.
            for pair in case.pairs[:: 1 + oracle.rows * len(case.pairs) // _GRADIENTS]:
                here, there = (case.single_gradients(worker, x) for x in (pair.x, pair.y))
                size = float(
                    max(np.linalg.norm(here, axis=1).max(), np.linalg.norm(there, axis=1).max())
                )
                changes = here - there
                seen = {
                    "calL": _deviation(changes),
                    "L_sample": float(np.linalg.norm(changes, axis=1).max()),
                }
                for name in seen.keys() & given.keys():
                    _within(case, pair, f"{name} of f_{worker}", seen[name], given[name], size)
                if "sigma_sq" in given:
                    most = math.sqrt(given["sigma_sq"].value)
                    _below(f"{case}, worker {worker}: sigma_sq", _deviation(there), most, size)
                told |= {*given} & {"calL", "L_sample", "sigma_sq"}
    return ", ".join(sorted(told)) or "no rows, or none given"


def _deviation(rows: Vector) -> float:
    """Return √((1/m) Σ ‖r_j - r‖²) of m rows with the mean r."""
    return math.sqrt(np.mean(np.sum((rows - rows.mean(axis=0)) ** 2, axis=1)))


def functional(subject: Subject) -> str:
    """Check ‖(1/n) Σ (∇f_i(x + u_i) - ∇f_i(x))‖² ≤ L_A² (1/n) Σ ‖u_i‖² + L_B² ‖(1/n) Σ u_i‖².

    MARINA-P and M3, Assumption 4.2; u_i that cancel, are the same, and are along the steepest
    ways of the f_i.
    """
    count = 0
    for case in subject.cases:
        if not {"L_A", "L_B"} <= case.joint.keys():
            continue
        a, b = case.joint["L_A"].value, case.joint["L_B"].value
        for x, u in _shifts(case):
            here = [oracle.gradient(x) for oracle in case.oracles]
            there = [o.gradient(x + s) for o, s in zip(case.oracles, u, strict=True)]
            change = np.mean(np.array(there) - np.array(here), axis=0)
            apart, common = float(np.mean(np.sum(u**2, axis=1))), u.mean(axis=0)
            most = math.sqrt(a**2 * apart + b**2 * float(common @ common))
            size = float(np.abs([here, there]).max()) * math.sqrt(case.dim)
            _below(f"{case}: L_A and L_B", float(np.linalg.norm(change)), most, size)
            count += 1
    return f"{count} inequalities" if count else "gives none"


def _shifts(case: Case) -> Iterator[tuple[Vector, Vector]]:
    """Yield points and shifts of the workers: any, cancelling, equal, steep in opposite senses."""
    for index, x in enumerate(case.points):
        u = case.normals(30 + index, case.n, case.dim)
        yield x, u
        yield x, u - u.mean(axis=0)
        yield x, np.tile(u[0], (case.n, 1))
    signs = np.where(np.arange(case.n) % 2 == 0, 1.0, -1.0)[:, None]
    for pair in case.pairs:
        way = np.tile(pair.y - pair.x, (case.n, 1))
        yield pair.x, way
        yield pair.x, signs * way


def similarity(subject: Subject) -> str:
    """Check the constants of how the f_i differ from f.

    (1/n) Σ ‖δ_i‖² - ‖δ‖² ≤ L_pm² ‖x - y‖² with δ_i the change of ∇f_i between x and y and δ
    their mean, and (1/n) Σ ‖∇f_i(x) - ∇f(x)‖² ≤ b_sq.
    """
    told: set[str] = set()
    for case in subject.cases:
        for pair in case.pairs:
            here, there = (
                np.array([o.gradient(x) for o in case.oracles]) for x in (pair.x, pair.y)
            )
            size = float(np.abs([here, there]).max()) * math.sqrt(case.dim)
            if "L_pm" in case.joint:
                _within(case, pair, "L_pm", _deviation(here - there), case.joint["L_pm"], size)
            if "b_sq" in case.joint:
                most = math.sqrt(case.joint["b_sq"].value)
                _below(f"{case}: b_sq", _deviation(there), most, size)
        told |= case.joint.keys() & {"L_pm", "b_sq"}
    return ", ".join(sorted(told)) or "gives none"


def minimum(subject: Subject) -> str:
    """Check that no point of the kit, and none of a descent from x0, lies below f*.

    f(x*) = f* where x* is given, and ∇f(x*) = 0 there.
    """
    told = "not known"
    for case in subject.cases:
        least = case.problem.minimum(case.oracles)
        if least is None:
            continue
        told = "known"
        points = [*case.points, *(pair.y for pair in case.pairs), *_descent(case)]
        lowest = min(case.mean_loss(x) for x in points)
        size = max(abs(case.mean_loss(case.start)), abs(least))
        if lowest < least - _CLOSE * size:
            raise Broken(f"{case}: f* is {least:.9g} where a point has {lowest:.9g}")
        if case.optimum is not None:
            found, gradient = case.optimum, case.mean_gradient(case.optimum.x)
            if abs(case.mean_loss(found.x) - least) > _CLOSE * size or found.value.value != least:
                raise Broken(
                    f"{case}: f(x*) = {case.mean_loss(found.x):.9g} where f* is {least:.9g}"
                )
            if np.linalg.norm(gradient) > _CLOSE * (
                1 + float(np.linalg.norm(case.mean_gradient(case.start)))
            ):
                raise Broken(f"{case}: ‖∇f(x*)‖ = {np.linalg.norm(gradient):.3g}")
            told = "known, and where"
    return told


def _descent(case: Case) -> list[Vector]:
    """Return points of gradient descent from x0 with step 1/L; none where no L is known."""
    local = [one.constants["L"].value for one in case.oracles if "L" in one.constants]
    if len(local) < case.n:
        return []
    step = 1.0 / max(*local, 1e-300)
    points = [case.start]
    for _ in range(_STEPS):
        points.append(points[-1] - step * case.mean_gradient(points[-1]))
    return points[:: _STEPS // 4]


def _all(case: Case) -> Iterator[tuple[str, Mapping[str, Constant]]]:
    for worker, oracle in enumerate(case.oracles):
        yield f"f_{worker}", oracle.constants
    yield "f", case.joint


def _changes(
    case: Case,
) -> Iterator[tuple[Pair, str, Vector, float, Mapping[str, Constant]]]:
    """Yield pair, function, the change of its gradient, the size of gradients, its constants."""
    for pair in case.pairs:
        here, there = ([o.gradient(x) for o in case.oracles] for x in (pair.x, pair.y))
        size = float(np.abs([here, there]).max()) * math.sqrt(case.dim)
        for worker, oracle in enumerate(case.oracles):
            change = here[worker] - there[worker]
            yield pair, f"f_{worker}", change, size, oracle.constants
        yield pair, "f", np.mean(np.array(here) - np.array(there), axis=0), size, case.joint


def _within(case: Case, pair: Pair, what: str, seen: float, given: Constant, size: float) -> float:
    """Raise `Broken` where a change is above constant times distance; return their ratio."""
    most = given.value * pair.distance
    if given.origin != "estimated":
        _below(f"{case}, {pair.name}, per distance {pair.distance:.3g}: {what}", seen, most, size)
    return seen / most if most > 0 else 0.0


def _below(what: str, seen: float, most: float, size: float) -> None:
    if not seen <= _grown(most) + _ROUNDING * size:
        raise Broken(f"{what} allows {most:.6g}, but {seen:.6g} was seen")


def _grown(value: float) -> float:
    return value * (1 + _CLOSE)
