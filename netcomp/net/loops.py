"""Which event loop runs: uvloop where it is installed, asyncio's own elsewhere or on request."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from netcomp.errors import SpecError

__all__ = [
    "loop_factory",
    "on_signals",
    "on_signals_without_loop",
    "raise_file_limit",
    "rare_collections",
    "run",
]

_COLLECT: Final = (100_000, 20, 100)

T = TypeVar("T")


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Return what makes the loop: NETCOMP_LOOP=asyncio|uvloop decides, else uvloop if there."""
    wanted = os.environ.get("NETCOMP_LOOP", "auto")
    if wanted not in ("auto", "asyncio", "uvloop"):
        raise SpecError("NETCOMP_LOOP", f"{wanted!r} is none of asyncio, uvloop, auto")
    if wanted == "asyncio":
        return None
    try:
        import uvloop  # noqa: PLC0415 — optional on some platforms
    except ImportError:
        if wanted == "uvloop":
            raise SpecError("NETCOMP_LOOP", "uvloop is not installed") from None
        return None
    factory: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return factory


def run(main: Coroutine[Any, Any, T], interrupt: Callable[[], None] = lambda: None) -> T:
    """Run a coroutine to its end, from a script or from inside a running event loop.

    Inside a running loop (a notebook) it gets a loop of its own in a thread of its own; the
    caller's loop stands still meanwhile, and Ctrl-C calls `interrupt` in that thread.
    """
    factory = loop_factory()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(main)
    result: list[T] = []
    error: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []

    def target() -> None:
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                loops.append(runner.get_loop())
                result.append(runner.run(main))
        except BaseException as caught:  # noqa: BLE001 — handed to the caller's thread
            error.append(caught)

    thread = threading.Thread(target=target, name="netcomp", daemon=True)
    thread.start()
    with on_signals_without_loop(lambda: [loop.call_soon_threadsafe(interrupt) for loop in loops]):
        thread.join()
    if error:
        raise error[0]
    return result[0]


def raise_file_limit(connections: int) -> None:
    """Raise the soft limit of open files so that `connections` fit, as far as the hard one allows.

    Raises `SpecError` where even that is not enough.
    """
    needed = connections + 64
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SpecError(
            "cluster.workers", f"{connections} connections need {needed} open files, {hard} allowed"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let the garbage collector look for cycles less often meanwhile.

    A round leaves none, but its messages make the collector look through every connection's
    objects again and again: with a thousand of them that took a third of a worker's time.
    """
    before = gc.get_threshold()
    if before[0]:  # zero means never
        gc.set_threshold(*map(max, before, _COLLECT))
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def on_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` on Ctrl-C and SIGTERM, where signals can be handled: the main thread."""
    loop = asyncio.get_running_loop()
    names = _names()
    for name in names:
        loop.add_signal_handler(name, interrupt)
    try:
        yield
    finally:
        for name in names:
            loop.remove_signal_handler(name)


@contextmanager
def on_signals_without_loop(interrupt: Callable[[], object]) -> Iterator[None]:
    """Do the same where no loop runs; `interrupt` is called between any two instructions."""
    before = {name: signal.signal(name, lambda *_: interrupt()) for name in _names()}
    try:
        yield
    finally:
        for name, handler in before.items():
            # None: it was installed by something other than Python and cannot be put back.
            if handler is not None:
                signal.signal(name, handler)


def _names() -> tuple[signal.Signals, ...]:
    main = threading.current_thread() is threading.main_thread()
    return (signal.SIGINT, signal.SIGTERM) if main else ()
