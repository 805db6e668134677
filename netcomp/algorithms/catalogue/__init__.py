"""The named algorithms: one short file a family, each entry with its theorem."""

from netcomp.algorithms.catalogue.gradient_descent import DCGD, GD
from netcomp.algorithms.catalogue.marina import MARINA
from netcomp.algorithms.catalogue.marina_p import M3, MARINA_P
from netcomp.algorithms.catalogue.shifted import DIANA
from netcomp.algorithms.plan import Algorithm
from netcomp.registry import Registry

__all__ = ["ALGORITHMS"]

ALGORITHMS: Registry[Algorithm] = Registry("algorithm")
for _entry in (GD, DCGD, DIANA, MARINA, MARINA_P, M3):
    ALGORITHMS.register(_entry.name, _entry)
