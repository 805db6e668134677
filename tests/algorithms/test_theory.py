"""Step sizes, probabilities and momenta, recomputed by hand or from the papers' tables."""

from math import floor, inf, isclose, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcomp.algorithms import ALGORITHMS, Choice, compose, theory
from netcomp.compressors import parse_compressor
from netcomp.draw import Draw
from support.cases import smooth
from support.simulate import chosen

seeded = settings(derandomize=True, deadline=None, max_examples=100, database=None)
sizes = st.floats(0.01, 100)
omegas = st.floats(0, 1000)
probabilities = st.floats(0.001, 1)


def cut(value):
    """Six decimals, cut off, as MARINA Table 4 prints them."""
    return floor(value * 1e6) / 1e6


RESNET18, LARGEST_PART, BATCH = 11_689_512, 10_112, 256


@pytest.mark.parametrize(
    ("k", "p"), [(100_000, 0.008554), (500_000, 0.024691), (1_000_000, 0.024691)]
)
def test_probabilities_of_marina_table_4(k, p):
    """VR-MARINA's p = min{ζ_Q/d, b'/(m + b')}: d of ResNet-18, m = 10 112, b' = 256 (A.2.1)."""
    omega = parse_compressor(f"rand-k:{k}").resolve(RESNET18, 5).omega(RESNET18)
    share = theory.marina_probability(k, omega, RESNET18)
    assert k / RESNET18 == share
    assert p == cut(min(share, BATCH / (LARGEST_PART + BATCH)))


def test_probability_of_vr_diana_in_table_4():
    """The table's third value is VR-DIANA's p = b/m, which no compressor enters."""
    assert 0.025316 == cut(BATCH / LARGEST_PART)


@pytest.mark.parametrize(("omega", "p"), [(0.0, 1.0), (1 / 8, 8 / 9), (3.0, 0.25)])
def test_dense_quantizers_take_the_other_probability(omega, p):
    """With ζ_Q = d, p is 1/(1 + ω) in place of a p = 1 that would be gd."""
    assert p == theory.marina_probability(10, omega, 10)


def test_numbers_by_hand():
    """Small numbers where every formula can be followed with pencil and paper."""
    assert 0.5 == theory.gd_step(2)
    assert 1 / (2 * 4) == theory.dcgd_step(2, 6, 4)
    assert 1 / 4 == theory.diana_alpha(3)
    assert isclose(1 / (10 * 2 * 2 * 14), theory.diana_step(2, 12, 4))
    assert isclose(1 / (2 * (1 + 3)), theory.marina_step(2, 9, 0.25, 3))
    assert 1 / 2 == theory.marina_step(2, 0, 0.25, 3)
    assert 0.25 == theory.marina_p_probability(3)
    # √((4·3 + 9·1)(4 − 1)) = √63
    assert isclose(1 / (1 + sqrt(63)), theory.marina_p_step(1, 2, 3, 3, 1, 0.25))
    assert isclose(1 / (1 + 34 * (8 * 2 + 4 * (3 + 5))), theory.m3_step_perm_k(1, 2, 3, 5, 8))
    assert isclose((8 / 392) ** (1 / 3), theory.m3_momentum(7, 7, 8))
    # b = 1/½ + (1 + ½)·4 = 8, a = 2/½ + (1 + 1)·4 = 12, m = (3·2·½ + 3·(1 + 1))/(4·¼) = 9
    step = theory.m3_step(
        L=1, L_A=2, L_B=3, L_max=1, omega_P=2, theta=1, omega_D=3, p_P=0.5, p_D=0.25, beta=0.5, n=4
    )
    assert isclose(1 / (1 + sqrt(288 * (8 * 9 + 12 * 4 + 9 * 1))), step)


def test_m3_under_pl_is_its_minimum_of_four():
    """Thm E.8: the root with 1536, else what the slowest term of Ψ allows (κ, ρ and τ, η and ν)."""
    case = {"L": 1, "L_A": 2, "L_B": 3, "L_max": 1, "omega_P": 2, "theta": 1, "omega_D": 3, "n": 4}
    # With b, a and m of `test_numbers_by_hand`.
    root = theory.m3_pl_step(**case, mu=1e-9, p_P=0.5, p_D=0.25, beta=0.5)
    assert isclose(1 / (1 + sqrt(1536 * (8 * 9 + 12 * 4 + 9 * 1))), root)
    for p_P, p_D, beta, least in ((0.5, 1, 1, 0.25), (1, 0.3, 1, 0.15), (1, 1, 0.2, 0.05)):
        step = theory.m3_pl_step(**case, mu=1e9, p_P=p_P, p_D=p_D, beta=beta)
        assert isclose(least / 1e9, step)


@pytest.mark.parametrize(("d", "n"), [(8, 4), (9, 4), (2, 6), (3, 7), (1, 5)])
def test_perm_k_spreads_as_its_theorem_says(d, n):
    """E‖(1/n) Σ C_i(a_i) − ā‖² = B((1/n) Σ‖a_i‖² − ‖ā‖²): exact, so the mean of draws is near.

    4,000 draws; the bound is six standard errors of their mean.
    """
    vectors = np.random.default_rng(d + n).normal(size=(n, d))
    mean = vectors.mean(axis=0)
    c = parse_compressor("perm-k+f64").resolve(d, n)
    found = []
    for t in range(4000):
        said = [c.compress(a, Draw(1, t, worker=i)).dense() for i, a in enumerate(vectors)]
        found.append(np.sum((np.mean(said, axis=0) - mean) ** 2))
    written = n * c.density(d) / d
    expected = theory.perm_k_spread(n, written) * (np.sum(vectors**2) / n - mean @ mean)
    assert abs(np.mean(found) - expected) <= 6 * np.std(found) / sqrt(4000)


@seeded
@given(sizes, omegas, probabilities, st.integers(1, 1000))
def test_marina_step_follows_from_the_descent_lemma(L, omega, p, n):
    """MARINA Thm 2.1: γ is the largest with γL(1 + √((1−p)ω/(pn))) ≤ 1."""
    gamma = theory.marina_step(L, omega, p, n)
    assert isclose(1, gamma * L * (1 + sqrt((1 - p) * omega / (p * n))), rel_tol=1e-12)
    # Hence what the proof asks: 1/(2γ) − L/2 − γ(1−p)ωL²/(2pn) ≥ 0.
    slack = 1 / (2 * gamma) - L / 2 - gamma * (1 - p) * omega * L**2 / (2 * p * n)
    assert slack >= -1e-9 * L


@seeded
@given(sizes, sizes, sizes, omegas, probabilities)
def test_marina_p_step_without_theta_is_that_of_theorem_4_6(L, L_A, L_B, omega, p):
    """θ = 0 leaves 1/(L + L_A√(ω(1/p − 1))), and L_B does not enter."""
    expected = 1 / (L + L_A * sqrt(omega * (1 / p - 1)))
    assert isclose(expected, theory.marina_p_step(L, L_A, L_B, omega, 0, p), rel_tol=1e-12)


@seeded
@given(sizes, sizes, sizes, sizes, st.integers(1, 1000))
def test_every_step_is_gds_where_nothing_is_lost(L, L_A, L_B, L_max, n):
    """ω = 0 and p = 1: dcgd, marina and marina-p fall back to 1/L; m3's β is then 1."""
    assert 1 / L == theory.dcgd_step(L, 0, n) == theory.marina_step(L, 0, 1, n)
    assert 1 / L == theory.marina_p_step(L, L_A, L_B, 0, 0, 1)
    assert 1 == theory.m3_momentum(0, 0, n)


def test_theorem_e_1_covers_theorem_5_1():
    """For perm-k and rand-k:d/n, E.1's step is at least 5.1's: no coefficient exceeds 34's.

    288 a ≤ (34 n)², 288 b ≤ (34 n^{2/3})², 288 m ≤ (34 n^{2/3})², each read off by letting
    one constant be large; hence √(Σ) ≤ Σ√ for any constants.
    """
    for n in range(2, 1001):
        case = {"omega_P": n - 1, "theta": 0, "omega_D": n - 1, "p_P": 1 / n, "p_D": 1 / n}
        case |= {"beta": n ** (-2 / 3), "n": n}
        for which in ("L_A", "L_B", "L_max"):
            constants = {"L": 0.0, "L_A": 0.0, "L_B": 0.0, "L_max": 0.0, which: 1.0}
            general = 1 / theory.m3_step(**constants, **case)
            own = 1 / theory.m3_step_perm_k(**constants, n=n)
            assert general <= own
        constants = {"L": 1.0, "L_A": 0.3, "L_B": 1.4, "L_max": 1.7}
        assert theory.m3_step_perm_k(**constants, n=n) <= theory.m3_step(**constants, **case)


@seeded
@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4), st.integers(1, 1000))
def test_m3_momentum_balances_the_two_terms(omega_P, omega_D, n):
    """Cor. E.2: β lies in (0, 1], and below 1 solves β³ ω_D ω_P (ω_D + 1) = n."""
    beta = theory.m3_momentum(omega_P, omega_D, n)
    assert 0 < beta <= 1
    if beta < 1:
        assert isclose(n, beta**3 * omega_D * omega_P * (omega_D + 1), rel_tol=1e-9)
    else:
        assert omega_D * omega_P * (omega_D + 1) <= n * (1 + 1e-12)


@pytest.mark.parametrize("n", [2, 10, 100, 1000])
def test_m3_momentum_has_theorem_5_1s_order(n):
    """For ω_P = ω_D = n − 1, β is n^{−2/3} up to a factor in [1, 2]."""
    assert 1 <= theory.m3_momentum(n - 1, n - 1, n) * n ** (2 / 3) <= 2


@pytest.mark.parametrize("n", [3, 4, 10])
def test_catalogue_uses_theorem_5_1_in_its_own_case_only(n):
    """m3's defaults with n | d give p = 1/n, β = n^{−2/3} and the 34-formula; else E.1."""
    joint = {"L": 1.0, "L_A": 0.3, "L_B": 1.4}
    constants = smooth(*[1.7] * n, **joint)
    own = ALGORITHMS.get("m3").plan(Choice(), 5 * n, n, constants)
    # 1/(ω + 1) is 1/n up to the rounding of d/k − 1 + 1, which is exact for integers.
    assert (1 / n, 1 / n, n ** (-2 / 3)) == (own.up.p, own.down.p, own.beta)
    assert theory.m3_step_perm_k(1.0, 0.3, 1.4, 1.7, n) == own.gamma
    other = ALGORITHMS.get("m3").plan(Choice(), 5 * n + 1, n, constants)
    general = theory.m3_step(
        L=1.0, L_A=0.3, L_B=1.4, L_max=1.7, n=n,
        omega_P=n - 1, theta=0.0, omega_D=(5 * n + 1) / 5 - 1,
        p_P=1 / n, p_D=other.up.p, beta=other.beta,
    )  # fmt: skip
    assert isclose(general, other.gamma, rel_tol=1e-12)


def test_steps_shrink_as_compression_grows():
    """More compression (larger ω) never allows a larger step."""
    last = dict.fromkeys(("dcgd", "diana", "marina", "marina-p"), inf)
    for omega in np.linspace(0, 50, 26):
        p = theory.marina_p_probability(omega)
        steps = {
            "dcgd": theory.dcgd_step(1, omega, 5),
            "diana": theory.diana_step(1, omega, 5),
            "marina": theory.marina_step(1, omega, p, 5),
            "marina-p": theory.marina_p_step(1, 0.5, 1, omega, omega / 5, p),
        }
        assert all(steps[name] <= last[name] for name in steps)
        last = steps


def test_a_plan_composes_with_its_own_numbers():
    """What a plan says of γ, β, p and α is what the composed parts hold."""
    constants = smooth(1.0, 2.0, L=1.4, L_A=0.3, L_B=1.4)
    choice = chosen(up_p=0.2, down_p=0.7, momentum=0.4)
    plan = ALGORITHMS.get("m3").plan(choice, 8, 2, constants)
    parts = compose(plan)
    assert (plan.gamma, 0.4) == (parts.gamma, parts.beta)
    assert (0.2, 0.7) == (parts.up.p, parts.down.p)
    diana = compose(ALGORITHMS.get("diana").plan(chosen(up_alpha=0.3), 8, 2, constants))
    assert 0.3 == diana.up.alpha
