"""The theorems that are checked, each on a problem chosen to leave its step little room."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.theory import bounds, measures
from benchmarks.theory.checks import Check
from benchmarks.theory.setups import Setup, diagonal, logistic
from netcomp.algorithms import Composition, Plan, SideChoice

__all__ = ["CHECKS"]


def _spread(d: int, n: int, apart: float, pull: float = 0.0) -> Setup:
    """Return f_i(x) = ½(1 ± apart)‖x‖² ∓ pull⟨1, x⟩: κ = 1, x⁰ = x* + (1, …, 1)."""
    signs = [1.0 - 2.0 * (i % 2) for i in range(n)]
    ones = np.ones(d)
    return diagonal(
        [(1.0 + apart * s) * ones for s in signs], [pull * s * ones for s in signs], ones
    )


def _steep(d: int) -> Setup:
    """Return ½ Σ a_k x_k² of one worker, a from 1/4 to 1, from (1, …, 1)."""
    return diagonal([np.linspace(0.25, 1.0, d)], [np.zeros(d)], np.ones(d))


def _trap() -> Setup:
    """Return f_i(x) = ½‖x‖² − ⟨(±1, 0.99), x⟩ from 0, where top-1 alone never sees x₂."""
    vectors = [np.array([sign, 0.99]) for sign in (1.0, -1.0)]
    return diagonal([np.ones(2)] * 2, vectors, np.array([0.0, -0.99]))


ALIKE = partial(_spread, 16, 2, 0.0)
UNLIKE = partial(_spread, 16, 4, 0.6, 0.5)
FAR_APART = partial(_spread, 8, 4, 3.0)
ONE = partial(_spread, 8, 1, 0.0)
STEEP = partial(_steep, 8)
CANCER = partial(logistic, "breast_cancer", 3, 0.1)

_FEW = SideChoice(compressor="rand-k:k=1")
_PL: Mapping[str, Any] = {"preset": "pl"}


def _stationary(setup: Setup, plan: Plan, _parts: Composition, K: int) -> float:
    return bounds.stationary(setup.gap(setup.x0), plan.gamma, K)


def _online(setup: Setup, plan: Plan, parts: Composition, K: int) -> float:
    Delta, sigma_sq = setup.gap(setup.x0), setup.constant("sigma_sq")
    b = parts.estimator.whole.value
    return bounds.online(Delta, plan.gamma, K, sigma_sq, setup.n, b, plan.up.p)


def _pl(setup: Setup, plan: Plan, _parts: Composition, K: int) -> float:
    # Of every Ψ⁰ here only f(x⁰) − f* is not zero. The last round's Ψ is that of x^{K−1}.
    return bounds.linear(setup.gap(setup.x0), plan.gamma * setup.constant("mu"), K - 1)


def _diana(setup: Setup, plan: Plan, parts: Composition, K: int) -> float:
    rate = min(plan.gamma * setup.constant("mu"), plan.up.alpha / 2.0)
    shifts = np.zeros((setup.n, setup.d))
    return bounds.linear(measures.diana_value(setup, plan, parts, setup.x0, shifts), rate, K)


def _mcm(setup: Setup, plan: Plan, _parts: Composition, K: int) -> float:
    # Υ⁰ = ‖w⁰ − H⁰‖² = 0.
    r0 = float(np.sum((setup.x0 - setup.solution) ** 2))
    return bounds.linear(r0, plan.gamma * setup.constant("mu"), K)


def _cgd(kind: str, setup: Setup, _plan: Plan, parts: Composition, K: int) -> float:
    c, kappa = parts.up.compressor, setup.constant("L") / setup.constant("mu")
    if kind == "b1":
        alpha, beta = c.b1(setup.d) or (0.0, 1.0)
        rate = alpha / beta**2
    elif kind == "b2":
        gamma, beta = c.b2(setup.d) or (0.0, 1.0)
        rate = gamma / beta
    else:
        rate = c.delta(setup.d) or 0.0
    return bounds.linear(setup.gap(setup.x0), rate / kappa, K)


def _ec_sgd(schedule: str, setup: Setup, plan: Plan, parts: Composition, K: int) -> float:
    r0, mu = float(np.sum((setup.x0 - setup.solution) ** 2)), setup.constant("mu")
    D = float(np.mean(np.sum(setup.gradients(setup.solution) ** 2, axis=1)))
    c = 3.0 * D / (parts.up.compressor.delta(setup.d) or 1.0)
    if schedule == "theorem-21-i":
        kappa = 4.0 / (mu * plan.gamma)
        return bounds.ec_sgd_decreasing(r0, mu, kappa, c, K)
    formula = bounds.ec_sgd_geometric if schedule == "theorem-21-ii" else bounds.ec_sgd_equal
    return formula(r0, mu, plan.gamma, c, K)


def _of_marina_p() -> list[Check]:
    kinds = {
        "same": SideChoice(compressor="rand-k:k=2", collection="same"),
        "independent": SideChoice(compressor="rand-k:k=2", collection="independent"),
        "perm-k": SideChoice(compressor="perm-k"),
    }
    found = []
    for name, down in kinds.items():
        found += [
            Check(
                f"MARINA-P Thm D.1, {name}", "marina-p", FAR_APART, 40,
                measures.mean_square, _stationary, 16, down=down,
            ),
            Check(
                f"MARINA-P Thm D.10, {name}", "marina-p", FAR_APART, 40,
                measures.marina_p_psi, _pl, 32, _PL, down=down,
            ),
        ]  # fmt: skip
    return found


def _of_cgd() -> list[Check]:
    kinds = {"b1": "Thm 17, B¹", "b2": "Thm 18, B²", "b3": "Thm 19, B³"}
    return [
        Check(
            f"Beznosikov et al. {theorem}, {text}", "cgd", STEEP, 40, measures.gap,
            partial(_cgd, kind), 4, {} if kind == "b3" else {"preset": kind},
            up=SideChoice(compressor=text), random=random,
        )
        for kind, theorem in kinds.items()
        for text, random in (("top-k:k=2", False), ("rand-k:k=2,scaled=no", True))
    ]  # fmt: skip


def _of_ec_sgd() -> list[Check]:
    rounds = {"theorem-21-i": 1200, "theorem-21-ii": 1000, "theorem-21-iii": 1500}
    return [
        Check(
            f"Beznosikov et al. Thm 21 ({schedule.removeprefix('theorem-21-')})",
            "ec-sgd", _trap, K, measures.average_gap, partial(_ec_sgd, schedule), 256,
            {"schedule": schedule}, up=SideChoice(compressor="top-k:k=1"), random=False,
        )
        for schedule, K in rounds.items()
    ]  # fmt: skip


_PERM = SideChoice(compressor="perm-k")
_TOP = SideChoice(compressor="top-k:k=2")
_PAIRS = {"oracle": "two-point:b=10%"}

CHECKS = (
    Check("MARINA Thm 2.1", "marina", ALIKE, 60, measures.mean_square, _stationary, 4, up=_FEW),
    Check("MARINA Thm 2.2", "marina", ALIKE, 60, measures.marina_psi, _pl, 8, _PL, up=_FEW),
    Check(
        "arXiv 2110.03300, perm-k", "marina", FAR_APART, 40, measures.mean_square, _stationary, 4,
        up=_PERM,
    ),
    Check(
        "arXiv 2110.03300, perm-k, PŁ", "marina", FAR_APART, 40, measures.marina_psi, _pl, 4, _PL,
        up=_PERM,
    ),
    Check(
        "MARINA Thm 3.1", "vr-marina", CANCER, 30, measures.mean_square, _stationary, 64, _PAIRS,
        up=_FEW,
    ),
    Check(
        "MARINA Thm D.2", "vr-marina", CANCER, 30, measures.marina_psi, _pl, 8, _PAIRS | _PL,
        up=_FEW,
    ),
    Check(
        "MARINA Thm 3.2", "vr-marina-online", CANCER, 30, measures.mean_square, _online, 64,
        {"oracle": "two-point:b=10%,whole=50%"}, up=_FEW,
    ),
    Check("MARINA Thm 4.1", "pp-marina", UNLIKE, 50, measures.mean_square, _stationary, 4, up=_FEW),
    Check("MARINA Thm E.2", "pp-marina", UNLIKE, 50, measures.marina_psi, _pl, 8, _PL, up=_FEW),
    *_of_marina_p(),
    Check("MARINA-P Thm 5.1", "m3", FAR_APART, 40, measures.mean_square, _stationary, 512),
    Check(
        "MARINA-P Thm E.1", "m3", FAR_APART, 40, measures.mean_square, _stationary, 128,
        up=SideChoice(compressor="rand-k:k=4"),
        down=SideChoice(compressor="rand-k:k=2", collection="independent"),
    ),
    Check("MARINA-P Thm E.8", "m3", FAR_APART, 40, measures.m3_psi, _pl, 256, _PL),
    Check(
        "arXiv 2202.01268 Thm 6.1", "dasha", ALIKE, 60, measures.mean_square, _stationary, 16,
        up=_FEW,
    ),
    Check(
        "arXiv 2106.05203 Thm 1", "ef21", UNLIKE, 50, measures.mean_square, _stationary, 8,
        up=_TOP,
    ),
    Check("arXiv 2106.05203 Thm 2", "ef21", UNLIKE, 50, measures.ef21_psi, _pl, 16, _PL, up=_TOP),
    Check("arXiv 1905.11261", "diana", UNLIKE, 50, measures.diana_psi, _diana, 128, up=_FEW),
    Check(
        "arXiv 1905.11261, its own step", "diana", UNLIKE, 50, measures.diana_psi, _diana, 8,
        {"preset": "strongly-convex"}, up=_FEW,
    ),
    *(
        Check(
            theorem, name, ALIKE, 60, measures.distance, _mcm, 32,
            {"preset": "homogeneous", "oracle": "full"}, up=SideChoice(compressor="rand-k:k=8"),
            down=SideChoice(compressor="rand-k:k=8"),
        )
        for name, theorem in (("mcm", "MCM Thm 1"), ("rand-mcm", "MCM Thm 4"))
    ),
    *_of_cgd(),
    *_of_ec_sgd(),
)  # fmt: skip
