"""custom: every part is the user's; what is left out is gd's.

No theorem stands behind a free composition, so `step_size` is a number; without one a run takes
1/L_max as a first guess.
"""

from __future__ import annotations

from netcomp.algorithms.entry import Algorithm

__all__ = ["ENTRIES"]

CUSTOM = Algorithm(
    name="custom",
    summary="any down channel with any up channel, oracle and participation",
    source="",
    free=True,
)

ENTRIES = (CUSTOM,)
