"""MCM and Rand-MCM: the server's model is preserved, only the workers' are perturbed.

C. Philippenko, A. Dieuleveut, "Preserved central model for faster bidirectional compression in
distributed settings", NeurIPS 2021, eq. (3):

    down  Ω = w_{k+1} − H_k;  ŵ_{k+1} = H_k + C_dwn(Ω);  H_{k+1} = H_k + α_dwn C_dwn(Ω)
    up    Δ_i = g_i(ŵ_k) − h_k^i;  w_{k+1} = w_k − (γ/n) Σ (C_up(Δ_i) + h_k^i);
          h_{k+1}^i = h_k^i + α_up C_up(Δ_i)

rand-mcm (§2.2): C_dwn,i and H^i of each worker's own; rand-mcm-g (§4.1): of each of G groups.
-pp (§4.1): a worker takes part with probability p; who missed rounds of mcm is told them.
-single: one memory H̄ for all at the server (`netcomp.channels.single_memory`), -reset: with the
workers' reset to it. H⁰ = w⁰ and h⁰ = 0 (the paper is silent).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.rules import By, inverse_l_max
from netcomp.algorithms.setting import Setting

__all__ = ["ENTRIES"]


def _gamma(s: Setting) -> float:
    return theory.mcm_step(s.constant("L_max"), s.omega_up, s.omega_down, s.n)


_DOWN = Side("memory", "qsgd:s=1", alpha=By(theory.mcm_alpha_down, "omega_down"))

MCM = Algorithm(
    name="mcm",
    summary="memories both ways: the server's model is exact, the workers' perturbed",
    source="MCM eq. (3)",
    theorem="§3: γ_max, α_dwn = 1/(8ω_dwn), α_up = 1/(2(1+ω_up)); preset mcm-program",
    needs=("L_max",),
    up=Side("memory", "qsgd:s=1", alpha=By(theory.mcm_alpha_up, "omega_up")),
    down=_DOWN,
    oracle="minibatch:b=10%",
    gamma=_gamma,
    presets={
        "mcm-program": {
            "alpha_up": By(theory.mcm_alpha_up, "omega_up"),
            "alpha_down": By(theory.mcm_alpha_up, "omega_down"),
            "gamma": inverse_l_max,
        },
        "homogeneous": {"alpha_up": lambda _: 0.0},
    },
)

RAND_MCM = replace(
    MCM,
    name="rand-mcm",
    summary="mcm with a downlink message and a memory for each worker",
    source="MCM §2.2",
    down=replace(_DOWN, collection="independent"),
)

RAND_MCM_G = replace(
    MCM,
    name="rand-mcm-g",
    summary="rand-mcm with G groups that share message and memory",
    source="MCM §4.1",
    down=replace(_DOWN, collection="groups:2"),
)


def _partial(entry: Algorithm, name: str, summary: str, **down: Any) -> Algorithm:
    return replace(
        entry,
        name=name,
        summary=summary,
        source="MCM §4.1, Fig. 4",
        down=replace(entry.down, **down),
        participation="independent:p=0.5",
    )


ENTRIES = (
    MCM,
    RAND_MCM,
    RAND_MCM_G,
    _partial(MCM, "mcm-pp", "mcm with partial participation"),
    _partial(RAND_MCM, "rand-mcm-pp", "rand-mcm with partial participation"),
    _partial(
        RAND_MCM,
        "rand-mcm-pp-single",
        "rand-mcm-pp with a single memory at the server",
        channel="single-memory",
    ),
    _partial(
        RAND_MCM,
        "rand-mcm-pp-reset",
        "rand-mcm-pp with a single memory, reset every 50 rounds",
        channel="single-memory",
        reset=50,
    ),
)
