"""Which rows each worker holds: the rules a spec's `problem.split` may name.

f is the unweighted mean of the workers' functions, f = (1/n) Σ f_i, and f_i the mean over
worker i's rows, however many: where shards have unequal sizes a row of a small one weighs more.
"""

import re
from typing import Any, Final

from netcomp.data.notation import head_of, read_parameters
from netcomp.data.splits.base import Split, SplitRule
from netcomp.data.splits.clusters import Clusters
from netcomp.data.splits.given import FromFile, Own
from netcomp.data.splits.labels import ByLabel, Dirichlet
from netcomp.data.splits.orders import Equal, Shuffled, Sorted, equal, shuffled
from netcomp.errors import SpecError, UnknownName
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

_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*(?=:|$)")


def _rule(thing: Any, name: str) -> type[SplitRule]:
    """Return what a package or a module has under a name, if it is a rule that can be made."""
    if not (isinstance(thing, type) and issubclass(thing, SplitRule)):
        raise SpecError("split", f"{name!r} is no split rule")
    if missing := ", ".join(sorted(thing.__abstractmethods__)):
        raise SpecError("split", f"{name!r} does not define {missing}")
    return thing


SPLITS: Registry[type[SplitRule]] = Registry("split", _rule)
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
    """Read the notation of a split, e.g. ``dirichlet:alpha=0.5`` or ``module:Class:size=3``.

    Raises `SpecError` naming `field`, `UnknownName` for a name that is not registered.
    """
    head = head_of(text)
    if head not in SPLITS.names():
        if not (found := _CLASS.match(text)):
            raise UnknownName("split", head, SPLITS.names())
        head = found[0]
    try:
        rule = SPLITS.get(head)
    except SpecError as error:
        raise SpecError(field, error.reason) from error.__cause__
    return read_parameters(rule, text, field, head=head)
