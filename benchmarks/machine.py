"""What a benchmark says of the machine it ran on: no host name, no path."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["describe", "folder"]

_PACKAGES = ("netcomp", "numpy", "scipy", "scikit-learn", "msgpack", "uvloop")


def describe() -> dict[str, Any]:
    """Return processor, cores, kernel, Python and the versions that matter."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def folder(name: str) -> Path:
    """Return where a benchmark's results go unless told: benchmarks/results/NAME."""
    return Path(__file__).parent / "results" / name


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
