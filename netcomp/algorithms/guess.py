"""A first step size where no theorem has one."""

from __future__ import annotations

import math

from netcomp.algorithms import theory
from netcomp.algorithms.setting import Setting
from netcomp.compressors import Chain, Compressor
from netcomp.compressors.sign import Sign

__all__ = ["first_guess"]


def first_guess(s: Setting) -> float:
    """Return 1/(L_max ((1 + 2ω_up/n)(1 + 2ω_dwn) + r_up + r_dwn)); tune from there.

    An unbiased C adds ω‖v‖² of variance, n independent ones ω/n, as in `theory.dcgd_step`. A
    contractive one holds back what it leaves out: r = √(β/θ), EF21's price for that (arXiv
    2106.05203, Theorem 1), 0 for an unbiased one. What waits uplink and then downlink is late by
    both delays, so they add up. Raises `MissingConstant` without L_max.
    """
    up, down = s.up.omega(s.d) or 0.0, s.down.omega(s.d) or 0.0
    up = up if s.up.shared or s.up.correlated else up / s.n
    late = _delay(s.up, s.d) + _delay(s.down, s.d)
    return 1.0 / (s.constant("L_max") * ((1.0 + 2.0 * up) * (1.0 + 2.0 * down) + late))


def _delay(compressor: Compressor, d: int) -> float:
    if compressor.omega(d) is not None:
        return 0.0
    delta = _usual_delta(compressor, d)
    return 0.0 if delta is None else theory.ef21_delay(delta)


def _usual_delta(compressor: Compressor, d: int) -> float | None:
    """Return δ, of signs that of a Gaussian vector.

    ‖x‖₁²/(d‖x‖²) is 2/π for it, and 1/d only where a single coordinate is not zero; with 1/d the
    step would be useless (S. P. Karimireddy et al., arXiv 1901.09847, call the ratio density).
    """
    if isinstance(compressor, Chain) and isinstance(compressor.quantizer, Sign):
        kept = compressor.sparsifier.delta(d)
        return None if kept is None else kept * 2.0 / math.pi
    return compressor.delta(d)
