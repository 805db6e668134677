"""A whole cluster on this machine: the server here, workers in processes of their own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random

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
    command = ["worker", "--connect", f"{host}:{port}", "--slots", str(count), "--id", str(first)]
    try:
        process = await _spawn(*command, "--quiet", "--trust-server")
    except (OSError, RuntimeError) as error:
        reason = f"a worker process could not be started: {error}"
        server.interrupt("failed", NetcompError(reason))
        return
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        await _end(process)
        raise
    if not server.coordinator.stopping:
        lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        last = lines[-1].removeprefix("netcomp: ")
        reason = f"a worker process ended with exit code {process.returncode}: {last}"
        server.interrupt("failed", NetcompError(reason))


async def _spawn(*command: str) -> Process:
    """Start `python -m netcomp COMMAND…`; raises OSError, or RuntimeError where loops collide.

    uvloop refuses to start a process while a loop in another thread is starting one.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(RuntimeError),
        wait=wait_random(0.01, 0.1),
        stop=stop_after_attempt(50),
        reraise=True,
    ):
        with attempt:
            # What a spec names is found there as it is here: a script's folder is on the path.
            # A session of its own: Ctrl-C is the server's to handle, which tells the workers.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "netcomp",
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=PIPE,
                env=os.environ | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,
            )
    return process


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()
