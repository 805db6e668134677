"""MARINA: rarely the full gradient, else its compressed change.

E. Gorbunov, K. Burlachenko, Z. Li, P. Richtárik, "MARINA: Faster Non-Convex Distributed
Learning with Compression", ICML 2021, Algorithm 1:

     1: x⁰, γ, p;  2: g⁰ = ∇f(x⁰);  3: for k = 0, 1, …
     4:   c_k ∼ Be(p);  5: broadcast g^k
     7:   x^{k+1} = x^k − γ g^k
     8:   g_i^{k+1} = ∇f_i(x^{k+1}) if c_k = 1, else g^k + Q(∇f_i(x^{k+1}) − ∇f_i(x^k))
    10:   g^{k+1} = (1/n) Σ g_i^{k+1}

Algorithm 2 (vr-marina): the change is that of a minibatch of b' at both points. Algorithm 3
(online): ∇f_i is that of a minibatch of b throughout. Algorithm 4 (pp-marina): where c_k = 0
only r drawn workers send, and the mean is over them. With perm-k uplink marina has the step of
R. Szlendak, A. Tyurin, P. Richtárik, arXiv 2110.03300, which is not in the five papers.

Difference: the server takes step 7 itself and broadcasts x^{k+1} in place of g^k, the same
d floats. g⁰ is sent in full and counted.
"""

from __future__ import annotations

from netcomp.algorithms.catalogue import marina_rules as rules
from netcomp.algorithms.entry import Algorithm, Side

__all__ = ["ENTRIES"]

MARINA = Algorithm(
    name="marina",
    summary="rarely full gradients, else compressed gradient changes",
    source="MARINA Alg. 1",
    theorem="Thm 2.1: p = ζ_Q/d, γ = 1/(L_rms(1 + √((1−p)ω/(pn)))); preset pl: Thm 2.2"
    "; perm-k: arXiv 2110.03300",
    needs=("L_rms",),
    up=Side("marina", "rand-k:k=5%", p=rules.p),
    gamma=rules.gamma,
    presets={"pl": {"gamma": rules.pl_gamma}},
)

VR_MARINA = Algorithm(
    name="vr-marina",
    summary="marina whose gradient changes are those of a minibatch",
    source="MARINA Alg. 2",
    theorem="Thm 3.1: p = min{ζ_Q/d, b'/(m+b')}, γ = 1/(L+√((1−p)/(pn) (ωL²+(1+ω)ℒ²/b')))"
    "; preset pl: Thm D.2",
    needs=("L_rms", "calL"),
    up=Side("marina", "rand-k:k=5%", p=rules.p_vr),
    oracle="two-point:b=1%",
    gamma=rules.vr_gamma,
    presets={"pl": {"gamma": rules.vr_pl_gamma}},
)

VR_MARINA_ONLINE = Algorithm(
    name="vr-marina-online",
    summary="vr-marina whose rare uncompressed gradients are minibatches too",
    source="MARINA Alg. 3",
    theorem="Thm 3.2: p = min{ζ_Q/d, b'/(b+b')}, γ as vr-marina",
    needs=("L_rms", "calL"),
    up=Side("marina", "rand-k:k=5%", p=rules.p_vr),
    oracle="two-point:b=1%,whole=20%",
    gamma=rules.vr_gamma,
)

PP_MARINA = Algorithm(
    name="pp-marina",
    summary="marina in which only r drawn workers send their gradient changes",
    source="MARINA Alg. 4",
    theorem="Thm 4.1: p = ζ_Q r/(dn), γ = 1/(L_rms(1 + √((1−p)(1+ω)/(pr)))); preset pl: Thm E.2",
    needs=("L_rms",),
    up=Side("marina", "rand-k:k=5%", p=rules.p_pp),
    oracle="two-point",
    participation="uniform:r=2",
    gamma=rules.pp_gamma,
    presets={"pl": {"gamma": rules.pp_pl_gamma}},
)

ENTRIES = (MARINA, VR_MARINA, VR_MARINA_ONLINE, PP_MARINA)
