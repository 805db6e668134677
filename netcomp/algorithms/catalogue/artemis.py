"""Artemis, its non-degraded variants, and DORE: both directions compressed, one memory.

C. Philippenko, A. Dieuleveut, arXiv 2006.14591 (Artemis) and MCM §1, §3; X. Liu et al., arXiv
1910.07561 (DORE). artemis sends C_dwn of the update; the workers' models and the server's are one:

    x^{t+1} = x^t − γ C_dwn(ĝ^t),   ĝ^t = h^t + (1/n) Σ C_up(g_i^t − h_i^t),  α_up as MCM's

The three artemis-nd keep the server's model whole and fail, which is MCM Fig. 1's point: direct
sends C_dwn(x) (H = 0), memory C_dwn(x − w) with α_dwn = 1, update C_dwn of the model's change
since last time. dore adds to the step the fraction 1/(1 + ω_dwn) of what it left out before
(MCM Remark 2; Liu et al. Alg. 1 l. 18): all of it, with rand-k, explodes.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.rules import By, inverse_l_max
from netcomp.algorithms.setting import Setting

__all__ = ["ENTRIES"]

_UP = Side("memory", "qsgd:s=1", alpha=By(theory.mcm_alpha_up, "omega_up"))


def _gamma(s: Setting) -> float:
    return theory.artemis_step(s.constant("L_max"), s.omega_up, s.omega_down, s.n)


_STEP = "γ = 1/(8L_max(1+ω_dwn)(1+ω_up/n)), α_up = 1/(2(1+ω_up))"
_PROGRAM = {"mcm-program": {"gamma": inverse_l_max}}

ARTEMIS = Algorithm(
    name="artemis",
    summary="memory up, the compressed update down",
    source="MCM §1, Table 1; arXiv 2006.14591",
    theorem=_STEP,
    needs=("L_max",),
    up=_UP,
    down=Side(default="qsgd:s=1", carries="update"),
    oracle="minibatch:b=10%",
    gamma=_gamma,
    presets=_PROGRAM,
)

DORE = Algorithm(
    name="dore",
    summary="artemis with damped error feedback on the downlink",
    source="MCM Remark 2; arXiv 1910.07561",
    theorem=f"{_STEP}, η = 1/(1+ω_dwn)",
    needs=("L_max",),
    up=_UP,
    down=Side(
        "error-feedback", "qsgd:s=1", carries="step", eta=By(theory.dore_fraction, "omega_down")
    ),
    oracle="minibatch:b=10%",
    gamma=_gamma,
    presets=_PROGRAM,
)


def _non_degraded(variant: str, summary: str, down: Side) -> Algorithm:
    return Algorithm(
        name=f"artemis-nd-{variant}",
        summary=f"{summary}: fails, as MCM shows",
        source="MCM Fig. 1",
        theorem="none; γ = 1/L_max as in the figure",
        needs=("L_max",),
        up=_UP,
        down=down,
        oracle="minibatch:b=10%",
        gamma=inverse_l_max,
    )


ENTRIES = (
    ARTEMIS,
    DORE,
    _non_degraded("direct", "the compressed model down, no memory", Side(default="qsgd:s=1")),
    _non_degraded("memory", "the model down, memory rate 1", Side("memory", "qsgd:s=1", alpha=1.0)),
    _non_degraded("update", "the model's compressed change", Side("marina", "qsgd:s=1", p=0.0)),
)
