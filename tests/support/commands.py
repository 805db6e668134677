"""The commands in processes of their own, and what they leave behind."""

import contextlib
import os
import re
import select
import shlex
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w

from netcomp.results.readers import read_rounds

WATCHDOG = 60.0
"""Seconds after which something hangs; no verdict hangs on how fast it was."""


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line a failed command says, nothing else being on stderr."""
        (line,) = self.err.splitlines()
        return line


class Command:
    """A running command; `family` marks it and whatever it starts."""

    def __init__(self, argv, cwd, env):
        self.process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.signal = self.process.send_signal
        self._said = threading.Condition()
        self._lines = {"out": [], "err": []}
        self._open = 2
        streams = (("out", self.process.stdout), ("err", self.process.stderr))
        self._readers = [threading.Thread(target=self._read, args=args) for args in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, name, stream):
        with stream:
            for line in stream:
                with self._said:
                    self._lines[name].append(line)
                    self._said.notify_all()
        with self._said:
            self._open -= 1
            self._said.notify_all()

    def until(self, pattern, times=1):
        """Wait until stderr has so many lines that match; return the last of them."""

        def found():
            hits = [hit for line in self._lines["err"] if (hit := re.search(pattern, line))]
            return hits[times - 1] if len(hits) >= times else not self._open

        with self._said:
            hit = self._said.wait_for(found, WATCHDOG)
        if hit in (True, False):
            raise AssertionError(f"no {pattern!r} in {self._lines}")
        return hit

    def finish(self) -> Done:
        """Wait for the end."""
        code = self.process.wait(WATCHDOG)
        for reader in self._readers:
            reader.join(WATCHDOG)
        return Done(code, "".join(self._lines["out"]), "".join(self._lines["err"]))


@dataclass
class Family:
    """Commands of one test; all of them, and all they started, are gone after it."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    commands: list = field(default_factory=list)
    changes: dict = field(default_factory=dict)
    """Environment variables all of them get."""

    def environment(self, **changes):
        # The test's own variables, less what would change a run.
        env = {k: v for k, v in os.environ.items() if not k.startswith("NETCOMP_")}
        env |= {"NETCOMP_TEST_MARK": self.mark, "MPLBACKEND": "Agg", "COLUMNS": "100"}
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
        return env | self.changes | changes

    def spec(self, tree, name="spec.toml"):
        """Write a spec and return its name."""
        (self.folder / name).write_text(tomli_w.dumps(tree))
        return name

    def serve(self, tree, *args, **env):
        """Start a server; return it and the worker's command line it invites with."""
        server = self.start("server", self.spec(tree), "--listen", "127.0.0.1:0", *args, **env)
        return server, shlex.split(server.until("start one with: (.*)")[1])

    def runs(self):
        """Return the run folders."""
        return sorted((self.folder / "runs").glob("*"))

    def wait_for_rounds(self):
        """Wait until a run's folder has rows."""
        deadline = time.monotonic() + WATCHDOG
        while not any(len(read_rounds(folder)) > 1 for folder in self.runs()):
            assert time.monotonic() < deadline, "no rounds"
            time.sleep(0.01)  # between two looks at a file; decides nothing

    def start(self, *args, argv=None, **env) -> Command:
        """Start `netcomp` with these arguments, or another program."""
        argv = argv or [sys.executable, "-m", "netcomp", *map(str, args)]
        command = Command(argv, self.folder, self.environment(**env))
        self.commands.append(command)
        return command

    def run(self, *args, **options) -> Done:
        """Start it and wait for its end."""
        return self.start(*args, **options).finish()

    def members(self):
        """Return the living processes of the family, where the system lets us see them."""
        mark, found = f"NETCOMP_TEST_MARK={self.mark}".encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    def died_out(self):
        """Wait for every process of the family to end; return those that do not."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                try:
                    select.select([handle], [], [], WATCHDOG / 2)
                finally:
                    os.close(handle)
        return self.members()

    def close(self):
        """Kill what is left."""
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        for command in self.commands:
            if command.process.poll() is None:
                command.process.kill()
            command.finish()
