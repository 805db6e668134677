"""The peers' environments, one each in benchmarks/.peers, and running their scripts there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["CACHE", "Conversation", "Peer", "answer_of", "ask", "conversing", "failure"]

CACHE = Path(__file__).parent / ".peers"
_INSTALLING = 1800.0
_RUNNING = 3600.0


@dataclass(frozen=True)
class Peer:
    """A library: the script that measures it, and what pip installs for it."""

    name: str
    requirements: tuple[str, ...]
    script: Path


def ask(
    peer: Peer, question: Mapping[str, Any], cache: Path = CACHE, patience: float = _RUNNING
) -> dict[str, Any]:
    """Return {"peer", "versions", "rows"} of a peer, or {"peer", "error"}: its last line.

    The question goes to its script as JSON; the environment is made in `cache` unless it is there.
    """
    try:
        python = _environment(peer, cache / peer.name)
        done = _call(python, peer.script, json.dumps(question), patience=patience)
    except (subprocess.SubprocessError, OSError) as error:
        return {"peer": peer.name, "error": failure(error)}
    return answer_of(peer.name, done)


class Conversation:
    """A peer's script that answers a line of JSON with one, until it is left alone."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer, or {"error"}; what a library prints besides is no JSON."""
        assert self._process.stdin is not None  # noqa: S101 — both are pipes
        assert self._process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            with suppress(ValueError, TypeError):
                return dict(json.loads(line))
        return {"error": f"it ended with {self._process.wait()}"}


@contextmanager
def conversing(
    peer: Peer, beginning: Mapping[str, Any], cache: Path = CACHE
) -> Iterator[Conversation]:
    """Start a peer's script in its environment, `beginning` its argument; raises as `_call`."""
    python = _environment(peer, cache / peer.name)
    words = [str(python), str(peer.script), json.dumps(beginning)]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=_surroundings(),
    )
    try:
        yield Conversation(process)
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.communicate()


def _environment(peer: Peer, place: Path) -> Path:
    """Return the Python of the peer's environment, made anew if its requirements changed."""
    python = place / "bin" / "python"
    stamp = place / "requirements.txt"
    wanted = "\n".join(peer.requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        _call(sys.executable, "-m", "venv", "--clear", place, patience=_INSTALLING)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _call(python, *pip, *peer.requirements, patience=_INSTALLING)
        stamp.write_text(wanted)
    return python


def _call(*command: str | Path, patience: float) -> str:
    """Return what a command printed; raises `SubprocessError` where it fails or hangs."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=True,
        timeout=patience,
        env=_surroundings(),
    )
    return done.stdout


def _surroundings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}


def answer_of(name: str, printed: str) -> dict[str, Any]:
    """Return a peer's figures from what its script printed; the last line is the JSON."""
    lines = printed.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
        return {"peer": name, "versions": answer["versions"], "rows": list(answer["rows"])}
    except (ValueError, TypeError, KeyError):
        return {"peer": name, "error": f"not an answer: {lines[-1][:200] if lines else 'nothing'}"}


def failure(error: BaseException) -> str:
    """Return the last line of what a failed command said on stderr, else the error's own."""
    said = getattr(error, "stderr", None) or ""
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    # A timeout's text names the whole command, paths included.
    plain = type(error).__name__ if isinstance(error, subprocess.TimeoutExpired) else str(error)
    return (said.strip() or plain).splitlines()[-1]
