"""Compressors from their definitions: dense numpy, no code of netcomp's compressors.

Only the random choices are shared with netcomp (its keys and permutations); what is done
with them is written here once more: scaling, blocks, ties.
"""

import numpy as np

from netcomp.compressors.permutation import Permutation
from netcomp.draw import Purpose


def identity(v):
    return v


def rand_k(draw, k):
    """MARINA-P after Def. 1.4: (d/k) Σ_{i∈S} v_i e_i, S a uniform k-subset."""
    kept = draw.stream(Purpose.SPARSIFIER)

    def compress(v):
        d = v.size
        out = np.zeros(d)
        out[kept.distinct(d, k)] = 1.0
        return d / k * v * out

    return compress


def perm_k(draw, n):
    """MARINA-P Def. 4.1: n Σ_{j in worker i's block} v_{π_j} e_{π_j}.

    Where n does not divide d the blocks ⌊sd/n⌋ … ⌊(s+1)d/n⌋ go to random workers s; for
    d < n each coordinate has q = ⌊n/d⌋ owners and the factor is n/q (Lemma A.6).
    """

    def compress(v):
        d = v.size
        stream = draw.shared().stream(Purpose.SPARSIFIER)
        seat = Permutation(n, stream).block(0, n)[draw.worker]
        out = np.zeros(d)
        if d < n:
            q = n // d
            if seat < q * d:
                out[seat // q] = n / q * v[seat // q]
            return out
        pi = Permutation(d, stream).block(0, d)
        for j in range(seat * d // n, (seat + 1) * d // n):
            out[pi[j]] = n * v[pi[j]]
        return out

    return compress


def top_k(k):
    """MARINA-P after Def. B.1: the k largest magnitudes."""

    def compress(v):
        out = np.zeros(v.size)
        largest = np.argsort(-np.abs(v), kind="stable")[:k]
        out[largest] = v[largest]
        return out

    return compress
