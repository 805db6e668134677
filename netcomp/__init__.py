"""netcomp: distributed optimization with compressed communication over real sockets.

>>> import netcomp
>>> result = netcomp.run({
...     "problem": {"name": "logistic", "data": "breast_cancer"},
...     "algorithm": {"name": "marina", "up": "rand-k:k=3"},
...     "network": {"uplink": "1 Mbit/s", "clock": "virtual"},
...     "stop": {"rounds": 20},
... })  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netcomp.version import __version__

if TYPE_CHECKING:
    from netcomp.experiment.compare import Comparison, compare
    from netcomp.experiment.recorder import Result
    from netcomp.experiment.run import run
    from netcomp.experiment.spec import Spec
from netcomp.experiment.tree import load_spec

__all__ = ["Comparison", "Result", "Spec", "__version__", "compare", "load_spec", "run"]

_HOMES = {
    "Comparison": "netcomp.experiment.compare",
    "compare": "netcomp.experiment.compare",
    "Result": "netcomp.experiment.recorder",
    "Spec": "netcomp.experiment.spec",
    "load_spec": "netcomp.experiment.tree",
    "run": "netcomp.experiment.run",
}


def __getattr__(name: str) -> Any:
    # Lazily, so that importing one compressor does not import the whole house.
    if name not in _HOMES:
        raise AttributeError(f"module 'netcomp' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 — see above

    return getattr(import_module(_HOMES[name]), name)
