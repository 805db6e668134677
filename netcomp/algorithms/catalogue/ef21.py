"""EF21 and its relatives: contractive compressors with memories that never forget (α = 1).

ef21 (arXiv 2106.05203), worker i with g_i⁰ = ∇f_i(x⁰) sent in full:

    c_i = C_i(∇f_i(x^{t+1}) − g_i^t);  g_i^{t+1} = g_i^t + c_i;  x^{t+1} = x^t − γ (1/n) Σ g_i^t

ef21-p (MARINA-P §6; arXiv 2209.15218): w^{t+1} = w^t + C(x^{t+1} − w^t) on the model, downlink.
ef21-p+dcgd (MARINA-P F.2): with compressed gradients uplink; its unbiased downlink compressor is
scaled by 1/(1 + ω), as `rand-k:…,scaled=no` is: unscaled it diverges. ef21-bc (MARINA-P Table 1,
from arXiv 2110.03294): the server compresses the change of its update, so Memory(1) carries the
update; on the model it would be ef21-p with ef21.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Side
from netcomp.algorithms.setting import Setting

__all__ = ["ENTRIES"]


def _ef21_p_gamma(s: Setting) -> float:
    return theory.ef21_step(s.constant("L"), s.constant("L"), s.delta_down)


def _pl_gamma(s: Setting) -> float:
    L, L_rms, mu = (s.constant(name) for name in ("L", "L_rms", "mu"))
    return theory.ef21_pl_step(L, L_rms, mu, s.delta_up)


EF21 = Algorithm(
    name="ef21",
    summary="contractive compression of the change since what the server knows",
    source="arXiv 2106.05203; NEOLITHIC Table 1",
    theorem="Thm 1: γ = 1/(L + L_rms √(β/θ)), θ = 1 − √(1−δ), β = (1−δ)/θ; preset pl: Thm 2",
    needs=("L", "L_rms"),
    up=Side("memory", "top-k:k=5%", alpha=1.0, opens_whole=True),
    gamma=lambda s: theory.ef21_step(s.constant("L"), s.constant("L_rms"), s.delta_up),
    presets={"pl": {"gamma": _pl_gamma}},
)

EF21_P = Algorithm(
    name="ef21-p",
    summary="ef21 on the model, downlink",
    source="MARINA-P §6; arXiv 2209.15218",
    theorem="γ = 1/(L + L √(β/θ)) as ef21",
    needs=("L",),
    down=Side("memory", "top-k:k=5%", alpha=1.0),
    gamma=_ef21_p_gamma,
)

EF21_P_DCGD = Algorithm(
    name="ef21-p+dcgd",
    summary="ef21-p down, compressed gradients up",
    source="MARINA-P F.2",
    up=Side(default="rand-k:k=5%"),
    down=Side("memory", "rand-k:k=5%,scaled=no", alpha=1.0),
)

EF21_BC = Algorithm(
    name="ef21-bc",
    summary="ef21 up, and down on the server's update",
    source="MARINA-P Table 1; arXiv 2110.03294",
    up=Side("memory", "top-k:k=5%", alpha=1.0, opens_whole=True),
    down=Side("memory", "top-k:k=5%", carries="update", alpha=1.0, opens_whole=True),
)

ENTRIES = (EF21, EF21_P, EF21_P_DCGD, EF21_BC)
