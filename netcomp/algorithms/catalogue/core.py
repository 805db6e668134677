"""CORE: m inner products with Gaussians that everybody shares, and the mean of them back.

P. Yue et al., "CORE: Common Random Reconstruction for Distributed Optimization with Provable Low
Communication Complexity", arXiv 2309.13307; a baseline in MARINA-P Table 1 and F:

    worker i sends p_i = Ξ^t ∇f_i(x^t) ∈ R^m;   the server sends p̄ = (1/n) Σ p_i to all
    x^{t+1} = x^t − γ (1/m) (Ξ^t)ᵀ p̄,           Ξ^t ∈ R^{m×d} from the shared key
"""

from __future__ import annotations

from netcomp.algorithms.entry import Algorithm, Side

__all__ = ["ENTRIES"]

CORE = Algorithm(
    name="core",
    summary="a sketch with shared Gaussians, and its mean forwarded to all",
    source="MARINA-P Table 1, F; arXiv 2309.13307",
    up=Side(default="sketch:m=5%"),
    down=Side(carries="forward"),
)

ENTRIES = (CORE,)
