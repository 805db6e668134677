"""Plans for tests, where every constant is known."""

from netcomp.algorithms import ALGORITHMS
from support.cases import smooth
from support.simulate import chosen

ALL_KNOWN = smooth(
    *(1.0, 2.0), L=1.4, L_A=0.3, L_B=1.4, calL=2.0, L_sample=3.0, sigma_sq=0.5, b_sq=0.1, Delta=4.0
)


def planned(name, d=30, n=4, constants=ALL_KNOWN, rows=40, rounds=5000, **choices):
    """Return the plan of a named algorithm for so many rows a worker."""
    choice = chosen(rounds=rounds, **choices)
    return ALGORITHMS.get(name).plan(choice, d, n, constants, (rows,) * n)
