"""The libraries that compressors are compared with, and asking them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.environments import Conversation, Peer, ask, conversing

__all__ = ["CACHE", "PEERS", "run", "turns"]

CACHE = Path(__file__).parent.parent / ".peers"

_SCRIPTS = Path(__file__).parent / "peers"


def _peer(name: str, *requirements: str) -> Peer:
    return Peer(name, requirements, _SCRIPTS / f"with_{name}.py")


PEERS = (
    _peer("torch", "torch==2.13.0", "numpy"),
    _peer("zstandard", "zstandard==0.25.0", "numpy"),
    _peer("blosc2", "blosc2==4.14.1", "numpy"),
    # Its extract() calls int() on an array of one element, which numpy refuses from 2.4 on;
    # BlockwiseQuantization is bitsandbytes' own.
    _peer("hivemind", "torch==2.13.0", "hivemind==1.1.12", "bitsandbytes==0.50.2", "numpy<2.4"),
)


def run(peer: Peer, vectors: Sequence[Mapping[str, str]], repeat: int) -> dict[str, Any]:
    """Return a peer's answer about `vectors`, which are {"name", "path"}."""
    return ask(peer, {"repeat": repeat, "vectors": list(vectors)}, CACHE)


def turns(peer: Peer, least: float) -> AbstractContextManager[Conversation]:
    """Return a conversation with a peer, who answers {"path", "codec"} with {"seconds"}."""
    return conversing(peer, {"least": least}, CACHE)
