"""The command line: parse, call the experiment layer, print."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

import typer

from netcomp.cli.app import app
from netcomp.errors import NetcompError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command; what is wrong with it is one line on stderr."""
    logging.basicConfig(format="netcomp: %(message)s")  # a library's user has the warnings bare
    try:
        sys.exit(app(standalone_mode=False))
    except NetcompError as error:
        _complain(str(error), error.exit_code)
    except typer.TyperException as error:
        if not sys.argv[1:]:  # no command: the message is the help text
            print(error.format_message())
            sys.exit(error.exit_code)
        _complain(error.format_message(), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has had enough of it.
        os._exit(0)
    except OSError as error:
        _complain(error.strerror or str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)


def _complain(text: str, code: int) -> NoReturn:
    print(f"netcomp: error: {' '.join(text.split())}", file=sys.stderr)
    sys.exit(code)
