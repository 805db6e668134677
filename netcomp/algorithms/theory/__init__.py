"""Step sizes, probabilities, momenta and learning rates of the theorems, each with its source.

Plain functions of plain numbers. L is the smoothness of f, L_i of f_i, L_max their maximum,
L_rms = √(mean L_i²); L_A, L_B those of MARINA-P Assumption 4.2; n workers,
compressor classes U(ω), B(δ) and P(θ) as in `netcomp.compressors.base`.
"""

from netcomp.algorithms.theory.feedback import *  # noqa: F403
from netcomp.algorithms.theory.gradient import *  # noqa: F403
from netcomp.algorithms.theory.marina import *  # noqa: F403
from netcomp.algorithms.theory.marina_p import *  # noqa: F403
from netcomp.algorithms.theory.mcm import *  # noqa: F403
