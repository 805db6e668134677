"""The numbers of MARINA's family from a setting: probabilities and steps."""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.rules import By
from netcomp.algorithms.setting import Setting

__all__ = [
    "gamma",
    "p",
    "p_pp",
    "p_vr",
    "pl_gamma",
    "pp_gamma",
    "pp_pl_gamma",
    "vr_gamma",
    "vr_pl_gamma",
]

p = By(theory.marina_probability, "density_up", "omega_each_up", "d")


def p_vr(s: Setting) -> float:
    """Return p = min{marina's p, b'/(m + b')}; with `whole`, its b for m (MARINA Cor. 3.1, 3.2)."""
    return theory.vr_marina_probability(p(s), s.b, s.whole or s.m)


def p_pp(s: Setting) -> float:
    """Return p = marina's p times r/n, at most 1 (MARINA Cor. 4.1)."""
    return min(1.0, theory.pp_marina_probability(p(s), s.r, s.n))


def _variance(s: Setting) -> float:
    # All m rows have no sampling error (the remark under Assumption 3.1).
    return 0.0 if s.whole is None and s.b == s.m else s.constant("calL")


def vr_gamma(s: Setting) -> float:
    """Return the step of MARINA Thm 3.1 and 3.2."""
    return theory.vr_marina_step(s.constant("L_rms"), _variance(s), s.omega_up, s.p_up, s.n, s.b)


def vr_pl_gamma(s: Setting) -> float:
    """Return the step of MARINA Thm D.2."""
    L, mu = s.constant("L_rms"), s.constant("mu")
    return theory.vr_marina_pl_step(L, _variance(s), mu, s.omega_up, s.p_up, s.n, s.b)


def _correlated(s: Setting) -> tuple[float, float, float]:
    """Return L, L_rms and L_±, which MARINA with perm-k asks for."""
    return s.constant("L"), s.constant("L_rms"), s.constant("L_pm")


def _spread(s: Setting) -> float:
    return theory.perm_k_spread(s.n, s.written_up)


def gamma(s: Setting) -> float:
    """Return the step of MARINA Thm 2.1, with perm-k that of arXiv 2110.03300."""
    if s.up.correlated:
        return theory.marina_correlated_step(*_correlated(s), s.theta_up, _spread(s), s.p_up)
    return theory.marina_step(s.constant("L_rms"), s.omega_up, s.p_up, s.n)


def pl_gamma(s: Setting) -> float:
    """Return the same under PŁ (MARINA Thm 2.2)."""
    mu = s.constant("mu")
    if s.up.correlated:
        smooth, theta = _correlated(s), s.theta_up
        return theory.marina_correlated_pl_step(*smooth, mu, theta, _spread(s), s.p_up)
    return theory.marina_pl_step(s.constant("L_rms"), mu, s.omega_up, s.p_up, s.n)


def pp_pl_gamma(s: Setting) -> float:
    """Return the step of MARINA Thm E.2."""
    L, mu = s.constant("L_rms"), s.constant("mu")
    return theory.pp_marina_pl_step(L, mu, s.omega_up, s.p_up, s.r)


def pp_gamma(s: Setting) -> float:
    """Return the step of MARINA Thm 4.1."""
    return theory.pp_marina_step(s.constant("L_rms"), s.omega_up, s.p_up, s.r)
