"""The command line: parse, call the experiment layer, print."""

from __future__ import annotations

import sys

from netcomp.cli.app import app
from netcomp.errors import NetcompError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command; an error netcomp raises on purpose is one line on stderr."""
    try:
        app()
    except NetcompError as error:
        line = " ".join(str(error).split())
        print(f"netcomp: error: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
