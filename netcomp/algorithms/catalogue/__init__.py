"""The named algorithms: one short file a family, each entry with its theorem."""

from netcomp.algorithms.catalogue import (
    artemis,
    core,
    custom,
    ef21,
    feedback,
    gradient_descent,
    marina,
    marina_p,
    mcm,
    shifted,
)
from netcomp.algorithms.entry import Algorithm
from netcomp.errors import SpecError
from netcomp.registry import Registry

__all__ = ["ALGORITHMS"]


def _read(found: object, name: str) -> Algorithm:
    if not isinstance(found, Algorithm):
        raise SpecError("algorithm", f"{name!r} is no netcomp.algorithms.Algorithm")
    return found


ALGORITHMS: Registry[Algorithm] = Registry("algorithm", _read)
for _family in (
    gradient_descent,
    shifted,
    marina,
    marina_p,
    feedback,
    ef21,
    core,
    artemis,
    mcm,
    custom,
):
    for _entry in _family.ENTRIES:
        ALGORITHMS.register(_entry.name, _entry)
