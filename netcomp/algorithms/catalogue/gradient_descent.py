"""Gradient descent, plain, stochastic, and with compressed gradients (no memory).

    1: for t = 0, 1, …
    2:   worker i sends C_i(g_i^t);   g_i^t = ∇f_i(x^t), or that of a minibatch
    3:   x^{t+1} = x^t − γ (1/n) Σ C_i(g_i^t)

gd: MARINA-P §1.1. sgd, qsgd: the baselines of MCM and NEOLITHIC. cgd: Beznosikov et al. §3;
dcgd: §5.1, whose unbiased n-worker step is `theory.dcgd_step`'s.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.setting import Setting
from netcomp.errors import SpecError

__all__ = ["ENTRIES"]


def _dcgd_gamma(s: Setting) -> float:
    if s.n == 1 and s.up.delta(s.d) is not None:
        # One worker, B³ (Beznosikov et al. Thm 19): γ = 1/L.
        return theory.gd_step(s.constant("L"))
    return theory.dcgd_step(s.constant("L_max"), s.omega_up, s.n)


def _one_worker(s: Setting, constants: tuple[float, float] | None) -> float:
    if s.n != 1 or constants is None:
        raise SpecError("algorithm.preset", f"{s.by}: Thm 17 and 18 are for one worker")
    return theory.cgd_step(s.constant("L"), constants[1])


GD = Algorithm(
    name="gd",
    summary="gradient descent, nothing compressed",
    source="MARINA-P §1.1",
    theorem="γ = 1/L",
    needs=("L",),
    gamma=lambda s: theory.gd_step(s.constant("L")),
)

SGD = Algorithm(
    name="sgd",
    summary="stochastic gradient descent, nothing compressed",
    source="MCM, NEOLITHIC §1.2 (P-SGD)",
    oracle="minibatch:b=10%",
)

DCGD = Algorithm(
    name="dcgd",
    summary="gradient descent with compressed gradients, no memory: stalls at a noise level",
    source="Beznosikov et al. §5.1; arXiv 1806.06573",
    theorem="γ = 1/(L_max(1 + 2ω/n)); one worker and a contractive C: 1/L",
    needs=("L_max",),
    up=Side(default="rand-k:k=5%"),
    gamma=_dcgd_gamma,
)

CGD = Algorithm(
    name="cgd",
    summary="compressed gradient descent of one worker; of several it is dcgd",
    source="Beznosikov et al. §3",
    theorem="one worker: Thm 19 (B³), γ = 1/L; presets b1, b2: Thm 17, 18, γ = 1/(βL)",
    needs=("L",),
    up=Side(default="rand-k:k=5%"),
    gamma=_dcgd_gamma,
    presets={
        "b1": {"gamma": lambda s: _one_worker(s, s.up.b1(s.d))},
        "b2": {"gamma": lambda s: _one_worker(s, s.up.b2(s.d))},
    },
)

QSGD = Algorithm(
    name="qsgd",
    summary="stochastic gradients, quantized",
    source="MCM, NEOLITHIC Table 1; arXiv 1610.02132",
    up=Side(default="qsgd:s=1"),
    oracle="minibatch:b=10%",
)

ENTRIES = (GD, SGD, CGD, DCGD, QSGD)
