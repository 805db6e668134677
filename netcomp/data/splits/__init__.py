"""Which rows each worker holds: the rules a spec's `problem.split` may name.

f is the unweighted mean of the workers' functions, f = (1/n) Σ f_i, and f_i the mean over
worker i's rows, however many: where shards have unequal sizes a row of a small one weighs more.
"""

from netcomp.data.notation import head_of, read_parameters
from netcomp.data.splits.base import Split, SplitRule
from netcomp.data.splits.clusters import Clusters
from netcomp.data.splits.given import FromFile, Own
from netcomp.data.splits.labels import ByLabel, Dirichlet
from netcomp.data.splits.orders import Equal, Shuffled, Sorted, equal, shuffled
from netcomp.errors import SpecError
from netcomp.registry import Registry

__all__ = [
    "SPLITS",
    "FromFile",
    "Own",
    "Split",
    "SplitRule",
    "equal",
    "parse_split",
    "shuffled",
]

SPLITS: Registry[type[SplitRule]] = Registry("split")
"""The rules by name. Plugins: entry points `netcomp.splits`, or `module:Class` in a spec."""

SPLITS.register("equal", Equal)
SPLITS.register("shuffled", Shuffled)
SPLITS.register("sorted", Sorted)
SPLITS.register("by-label", ByLabel)
SPLITS.register("dirichlet", Dirichlet)
SPLITS.register("clusters", Clusters)
SPLITS.register("file", FromFile)
SPLITS.register("own", Own)


def parse_split(text: str, field: str = "problem.split") -> SplitRule:
    """Read the notation of a split, e.g. ``dirichlet:alpha=0.5`` or ``module:Class``.

    Raises `SpecError` naming `field`, `UnknownName` for a name that is not registered.
    """
    name = head_of(text)
    if name in SPLITS.names():
        return read_parameters(SPLITS.get(name), text, field)
    kind = SPLITS.get(text)
    if not (isinstance(kind, type) and issubclass(kind, SplitRule)):
        raise SpecError(field, f"{text!r} is no split rule")
    return kind()
