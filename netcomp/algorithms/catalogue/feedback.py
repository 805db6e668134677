"""Error feedback: what a message leaves out is sent later.

ec-sgd (mem-sgd): Beznosikov et al. Algorithm 1, NEOLITHIC Algorithm 3, which carry the step:

    g̃_i^k = C_i(e_i^k + η^k g_i^k);  e_i^{k+1} = e_i^k + η^k g_i^k − g̃_i^k
    x^{k+1} = x^k − (1/n) Σ g̃_i^k;   output x̄ = Σ w^k x^k / Σ w^k

signsgd-ef: the same with the scaled sign (NEOLITHIC §1.2, 1-bit SGD). double-squeeze
(dist-ef-sgd): both directions compress with an error of their own. neolithic: NEOLITHIC
Algorithm 2, double-squeeze with R messages of FCC each way and R accumulated gradients; an
unbiased compressor enters scaled by 1/(1 + ω) (Cor. 3), as `rand-k:…,scaled=no` is. Its default
is that of the paper's experiments, tuned: no R with which top-k still saves has θ < 1.
"""

from __future__ import annotations

from dataclasses import replace

from netcomp.algorithms import theory
from netcomp.algorithms.entry import Algorithm, Regime, Side
from netcomp.algorithms.setting import Setting
from netcomp.errors import SpecError

__all__ = ["ENTRIES"]


def _ec_gamma(s: Setting) -> float:
    return theory.ec_sgd_step(s.constant("L_max"), s.delta_up)


def _thm_21_i(s: Setting) -> Regime:
    kappa = theory.ec_sgd_kappa(s.constant("L_max"), s.constant("mu"), s.delta_up)
    gamma = 4.0 / (s.constant("mu") * kappa)
    return Regime(gamma, f"inverse:kappa={kappa!r}", f"linear:kappa={kappa!r}")


def _thm_21_ii(s: Setting) -> Regime:
    gamma = _ec_gamma(s)
    return Regime(gamma, "constant", f"geometric:q={1.0 - s.constant('mu') * gamma / 2.0!r}")


def _thm_21_iii(s: Setting) -> Regime:
    return Regime(_ec_gamma(s), "constant", "equal")


def _neolithic_gamma(s: Setting) -> float:
    names = ("L_max", "sigma_sq", "b_sq", "Delta")
    L, sigma_sq, b_sq, Delta = (s.constant(name) for name in names)
    # One message's δ: fcc's own is 1 − (1−δ)^R.
    delta, K = 1.0 - (1.0 - s.delta_up) ** (1.0 / s.accumulated), s.most_rounds - 1
    try:
        return theory.neolithic_step(
            L=L, delta=delta, R=s.accumulated, sigma_sq=sigma_sq, b_sq=b_sq, Delta=Delta,
            K=K, n=s.n,
        )  # fmt: skip
    except ValueError as error:
        raise SpecError("algorithm.up", f"{s.by}: {error}") from None


EC_SGD = Algorithm(
    name="ec-sgd",
    summary="SGD with error feedback: what compression leaves out is sent later",
    source="Beznosikov et al. Alg. 1; NEOLITHIC Alg. 3 (MEM-SGD)",
    theorem="Thm 21: γ = 1/(14(2/δ+B)L_max); schedules theorem-21-i, -ii, -iii with their x̄",
    needs=("L_max",),
    up=Side("error-feedback", "top-k:k=5%", carries="step"),
    gamma=_ec_gamma,
    regimes={
        "theorem-21-i": _thm_21_i,
        "theorem-21-ii": _thm_21_ii,
        "theorem-21-iii": _thm_21_iii,
    },
)

MEM_SGD = replace(EC_SGD, name="mem-sgd", oracle="minibatch:b=10%")

SIGNSGD_EF = Algorithm(
    name="signsgd-ef",
    summary="one bit a coordinate with error feedback (1-bit SGD)",
    source="NEOLITHIC §1.2; arXiv 1901.09847",
    up=Side("error-feedback", "sign", carries="step"),
    oracle="minibatch:b=10%",
)

DOUBLE_SQUEEZE = Algorithm(
    name="double-squeeze",
    summary="error feedback in both directions",
    source="NEOLITHIC Table 1; arXiv 1905.05957",
    up=Side("error-feedback", "top-k:k=5%"),
    down=Side("error-feedback", "top-k:k=5%", carries="update"),
    oracle="minibatch:b=10%",
)

NEOLITHIC = Algorithm(
    name="neolithic",
    summary="error feedback both ways, R residual messages and R gradients a round",
    source="NEOLITHIC Alg. 2",
    theorem="Thm 3, eq. (52): γ from L_max, σ², b², Δ, δ, R and rounds; not for the defaults' θ",
    needs=("L_max", "sigma_sq", "b_sq", "Delta"),
    up=Side("error-feedback", "fcc:r=4(top-k:k=5%)"),
    down=Side("error-feedback", "fcc:r=4(top-k:k=5%)", carries="update"),
    oracle="accumulate:r=4,b=10%",
    gamma=_neolithic_gamma,
    guesses=True,
)

ENTRIES = (
    EC_SGD,
    MEM_SGD,
    SIGNSGD_EF,
    DOUBLE_SQUEEZE,
    replace(DOUBLE_SQUEEZE, name="dist-ef-sgd"),
    NEOLITHIC,
    replace(
        NEOLITHIC,
        name="neolithic-uni",
        summary="neolithic uplink only: the model comes down whole",
        down=Side(),
    ),
)
