"""Laws about class constants: unbiasedness and the bounds ω, δ, θ, B¹, B².

Every bound is a claim E X ≤ c about some X ≥ 0: the expectation is over all outcomes where these
are few, and the claim is weighed against draws in any case (`samples`). B²(γ, β) needs a thought:
for s ≥ β/2

    E‖C(x) − sx‖² = E‖C(x)‖² − 2s⟨E C(x), x⟩ + s²‖x‖² ≤ (s² − (2s − β)γ)‖x‖²

since E‖C(x)‖² ≤ β⟨E C(x), x⟩ and ⟨E C(x), x⟩ ≥ γ‖x‖². s = β/2 is the first half alone, large s the
second, and all of them are bounds of that kind. U(ω) is the case γ = s = 1, β = ω + 1.

Float formats count as exact in the papers. So values may be off by a relative 2⁻⁸ (bfloat16)
everywhere here: √c grows by that of what C(x) may be long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from netcomp.compressors.base import Collection, Compressor
from netcomp.compressors.conformance.cases import Case
from netcomp.compressors.conformance.samples import Sample
from netcomp.compressors.conformance.subject import Subject
from netcomp.laws import Broken

__all__ = ["b1", "b2", "delta", "omega", "sensible", "theta", "unbiased", "verdict"]

ROUNDING: Final = 2.0**-8
"""The relative error of a value that the papers count as exact."""

_TINY: Final = 1e-12
_SCALES: Final = (0.5, 1.0, 2.0, 4.0)

Claim = tuple[float, Sample, float, float]
"""Evidence (a logarithm), where, the mean seen and the bound claimed."""


def verdict(claims: Iterable[Claim], what: str, alarm: float) -> str:
    """Raise `Broken` where a claim is false, or the evidence too strong to be chance."""
    found = list(claims)
    if not found:
        return "not declared"
    exact = sum(sample.share is not None for _, sample, *_ in found)
    needed = math.log((len(found) - exact) / alarm)
    strength, where, seen, bound = max(found, key=_weight)
    told = f"{where}: {what} = {seen:.4g} where {bound:.4g} is claimed"
    if strength == math.inf and where.share is not None:
        raise Broken(f"{told}, over all outcomes ({where.share.size})")
    # A zero is added because rounding makes −0.0 of little evidence.
    told = f"{told}, 10^{round(min(strength / math.log(10), 999), 1) + 0.0} to 1"
    if not strength < needed:
        raise Broken(told)
    breach = f"breach from 10^{needed / math.log(10):.1f}"
    return f"{len(found)} bounds, {exact} of them over all outcomes; worst at {told} ({breach})"


def _weight(claim: Claim) -> tuple[float, float]:
    """Return what the worst claim has most of; evidence that is NaN comes of numbers too large."""
    strength, _, seen, bound = claim
    return (math.inf if math.isnan(strength) else strength), seen / bound


def rounded(bound: float, scale: float = 1.0) -> float:
    """Return what ‖C(x) − scale·x‖² ≤ bound becomes for rounded values.

    By the triangle inequality: rounding moves C(x) by `ROUNDING` of its length, which is at most
    √bound + scale.
    """
    length = math.sqrt(max(bound, 0.0))
    return (length + ROUNDING * (length + scale)) ** 2


def sensible(subject: Subject) -> str:
    """Check that the constants are possible ones and fit together.

    ω ≥ 0 is there just where C is unbiased; 0 < δ ≤ 1; ζ = ω + 1; b3 = 1/δ; 0 < α ≤ β²; 0 < γ ≤ β;
    θ ≥ 0 just where C is unbiased.
    """
    told: set[str] = set()
    for case in subject.distinct:
        compressor, d = case.compressor, case.d
        omega, delta = compressor.omega(d), compressor.delta(d)
        _require(case, (omega is None) != compressor.unbiased, "ω is given just if unbiased")
        _require(case, omega is None or 0 <= omega < math.inf, f"ω = {omega}")
        _require(case, delta is None or 0 < delta <= 1, f"δ = {delta}")
        _require(
            case, _close(compressor.zeta(d), None if omega is None else omega + 1), "ζ ≠ ω + 1"
        )
        _require(case, _close(compressor.b3(d), None if delta is None else 1 / delta), "b3 ≠ 1/δ")
        first, second = compressor.b1(d), compressor.b2(d)
        _require(case, first is None or 0 < first[0] <= first[1] ** 2 * (1 + 1e-9), f"b1 = {first}")
        _require(case, second is None or 0 < second[0] <= second[1] * (1 + 1e-9), f"b2 = {second}")
        for collection in _collections(compressor):
            theta = compressor.theta(d, case.n, collection)
            _require(case, (theta is None) != compressor.unbiased, "θ is given just if unbiased")
            _require(case, theta is None or 0 <= theta < math.inf, f"θ = {theta}")
        given = {"ω": omega, "δ": delta, "b1": first, "b2": second}
        told |= {name for name, value in given.items() if value is not None}
    return f"declares {', '.join(sorted(told)) or 'none'}"


def _require(case: Case, fits: bool, what: str) -> None:  # noqa: FBT001 — a condition
    if not fits:
        raise Broken(f"{case}: {what}")


def _close(a: float | None, b: float | None) -> bool:
    return a is b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9))


def _collections(compressor: Compressor) -> tuple[Collection, ...]:
    """Return the collections that make sense: a correlated compressor has one draw each."""
    return ("independent",) if compressor.correlated else ("same", "independent")


def unbiased(subject: Subject) -> str:
    """Check that E C(v) = v where `unbiased`, along v and in every coordinate (up to d = 64).

    ω bounds the variance, so what is weighed is a bias given that; each worker apart where
    they are correlated.
    """
    claims: list[Claim] = []
    for sample in subject.samples:
        omega = sample.case.compressor.omega(sample.case.d)
        if not sample.case.compressor.unbiased or omega is None:
            continue
        slack = _slack(sample, omega)
        strength, worst = sample.nonzero(rounded(omega), slack)
        bias = float(abs(sample.mean(sample.shifts)[worst]))
        claims.append((strength, sample, bias, slack))
    return verdict(claims, "|E C(v) − v|", subject.alarm)


def _slack(sample: Sample, omega: float) -> float:
    """Return by how much rounding may move E C(v), in any direction: a share of E‖C(v)‖.

    That is known where all outcomes are, and at most √(1 + ω) elsewhere. Not of E|C(v)_i| in
    coordinate i: what is rounded may be a rotation of it.
    """
    return ROUNDING * (math.sqrt(1.0 + omega) if sample.share is None else sample.length()) + _TINY


def _bounded(
    subject: Subject, constant: Callable[[Compressor, int], float | None], what: str
) -> str:
    claims: list[Claim] = []
    for sample in subject.samples:
        bound = constant(sample.case.compressor, sample.case.d)
        if bound is not None:
            claims.append(_distance(sample, rounded(bound)))
    return verdict(claims, what, subject.alarm)


def _distance(sample: Sample, bound: float, scale: float = 1.0) -> Claim:
    squares, bound = sample.distance(scale), bound * _again(sample)
    return sample.above(squares, bound), sample, float(sample.mean(squares)), bound


def _again(sample: Sample) -> float:
    """Return by what factor an expectation may be beyond a bound that allows for one rounding.

    Who rounds several times may be beyond it (fcc: 1.0014 times with bfloat16), which draws are too
    few to show.
    """
    return 1.0 if sample.share is None else 1.0 + ROUNDING


def omega(subject: Subject) -> str:
    """Check that E‖C(v) − v‖² ≤ ω‖v‖²."""
    return _bounded(subject, lambda c, d: c.omega(d), "E‖C(v) − v‖²/‖v‖²")


def delta(subject: Subject) -> str:
    """Check that E‖C(v) − v‖² ≤ (1 − δ)‖v‖²."""

    def bound(compressor: Compressor, d: int) -> float | None:
        delta = compressor.delta(d)
        return None if delta is None else 1.0 - delta

    return _bounded(subject, bound, "E‖C(v) − v‖²/‖v‖²")


def b1(subject: Subject) -> str:
    """Check that α‖v‖² ≤ E‖C(v)‖² ≤ β⟨E C(v), v⟩.

    For the lower bound alone something must be assumed where outcomes are not all known, for a mean
    that rare draws carry cannot be told from below: no draw has ‖C(v)‖² above β²‖v‖² and the
    largest seen.
    """
    claims: list[Claim] = []
    for sample in subject.samples:
        constants = sample.case.compressor.b1(sample.case.d)
        if constants is None:
            continue
        alpha, beta = constants
        claims += _halves(sample, alpha / beta, beta)
        least = alpha * (1.0 - ROUNDING) ** 2 * (1.0 - 1e-9) / _again(sample)
        most = max(beta**2, float(sample.square.max())) * (1.0 + ROUNDING)
        strength = sample.below(sample.square, least, most)
        claims.append((strength, sample, most - float(sample.mean(sample.square)), most - least))
    return verdict(claims, "a combination of E‖C(v)‖² and ⟨E C(v), v⟩", subject.alarm)


def b2(subject: Subject) -> str:
    """Check that γ‖v‖² ≤ ⟨E C(v), v⟩ and E‖C(v)‖² ≤ β⟨E C(v), v⟩."""
    claims: list[Claim] = []
    for sample in subject.samples:
        constants = sample.case.compressor.b2(sample.case.d)
        if constants is not None:
            claims += _halves(sample, *constants)
    return verdict(claims, "a combination of E‖C(v)‖² and ⟨E C(v), v⟩", subject.alarm)


def _halves(sample: Sample, gamma: float, beta: float) -> Iterable[Claim]:
    """Yield the bounds of B²(γ, β): E‖C(x) − sx‖² ≤ (s² − (2s − β)γ)‖x‖² for several s."""
    for share in _SCALES:
        scale = share * beta
        bound = scale**2 - (2.0 * scale - beta) * gamma
        yield _distance(sample, rounded(bound, scale), scale)


def theta(subject: Subject) -> str:
    """Check that E‖(1/n) Σ C_i(v) − v‖² ≤ θ‖v‖², one draw for all workers or one each."""
    claims: list[Claim] = []
    for sample in subject.samples:
        if not sample.case.compressor.correlated:
            claims += _collected(sample, "same")
            claims += _collected(sample, "independent") if sample.case.n == 1 else []
    for sample in subject.means:
        claims += _collected(sample, "independent")
    return verdict(claims, "E‖(1/n) Σ C_i(v) − v‖²/‖v‖²", subject.alarm)


def _collected(sample: Sample, collection: Collection) -> Iterable[Claim]:
    case = sample.case
    theta = case.compressor.theta(case.d, case.n, collection)
    if theta is not None:
        # The mean is short where its messages are not: rounding moves it by their length.
        length = math.sqrt(1.0 + (case.compressor.omega(case.d) or 0.0))
        yield _distance(sample, (math.sqrt(theta) + ROUNDING * length) ** 2)
