"""MARINA: rarely the full gradient, else its compressed change.

E. Gorbunov, K. Burlachenko, Z. Li, P. Richtárik, "MARINA: Faster Non-Convex Distributed
Learning with Compression", ICML 2021, Algorithm 1:

     1: x⁰, γ, p;  2: g⁰ = ∇f(x⁰);  3: for k = 0, 1, …
     4:   c_k ∼ Be(p);  5: broadcast g^k
     7:   x^{k+1} = x^k − γ g^k
     8:   g_i^{k+1} = ∇f_i(x^{k+1}) if c_k = 1, else g^k + Q(∇f_i(x^{k+1}) − ∇f_i(x^k))
    10:   g^{k+1} = (1/n) Σ g_i^{k+1}

Difference: the server takes step 7 itself and broadcasts x^{k+1} in place of g^k, the same
d floats. g⁰ is sent in full and counted.
"""

from __future__ import annotations

from netcomp.algorithms import theory
from netcomp.algorithms.plan import Algorithm, Side

__all__ = ["MARINA"]

MARINA = Algorithm(
    name="marina",
    summary="rarely full gradients, else compressed gradient changes",
    source="MARINA Alg. 1",
    theorem="Thm 2.1: p = ζ_Q/d, γ = 1/(L_rms(1 + √((1−p)ω/(pn))))",
    needs=("L_rms",),
    up=Side("marina", "rand-k:k=5%"),
    p_up=lambda s: theory.marina_probability(s.up.density(s.d), s.omega_up, s.d),
    gamma=lambda s: theory.marina_step(s.constant("L_rms"), s.omega_up, s.p_up, s.n),
)
