"""A whole cluster on this machine: the server here, workers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from netcomp.errors import NetcompError
from netcomp.net.server import Server
from netcomp.protocol.instructions import Outcome

__all__ = ["run_local"]

_LINGER_SECONDS: Final = 5.0
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


async def run_local(server: Server, slots: Sequence[int]) -> Outcome:
    """Run the server with one worker process for each entry of `slots`, over loopback TCP.

    A process that fails ends the run with what it said last.
    """
    processes: list[asyncio.Task[None]] = []

    def listening(host: str, port: int) -> None:
        for first, count in zip(_first(slots), slots, strict=True):
            coroutine = _worker_process(server, host, port, first, count)
            processes.append(asyncio.create_task(coroutine))

    try:
        return await server.run("127.0.0.1", 0, listening)
    finally:
        if processes:
            _, late = await asyncio.wait(processes, timeout=_LINGER_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*processes, return_exceptions=True)


def _first(slots: Sequence[int]) -> list[int]:
    return [sum(slots[:index]) for index in range(len(slots))]


async def _worker_process(server: Server, host: str, port: int, first: int, count: int) -> None:
    command = [sys.executable, "-m", "netcomp", "worker", "--connect", f"{host}:{port}"]
    # A session of its own: Ctrl-C is the server's to handle, which then tells the workers.
    process = await asyncio.create_subprocess_exec(
        *command, "--slots", str(count), "--id", str(first), "--quiet", "--trust-server",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=PIPE,
        env=os.environ | _ONE_THREAD,
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        await _end(process)
        raise
    if process.returncode and not server.coordinator.stopping:
        lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        last = lines[-1].removeprefix("netcomp: ")
        reason = f"a worker process ended with exit code {process.returncode}: {last}"
        server.interrupt("failed", NetcompError(reason))


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
