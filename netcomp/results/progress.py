"""Live progress on stderr: a panel in a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from netcomp.results.events import RoundRecord
from netcomp.results.format import (
    NOTHING,
    format_bytes,
    format_number,
    format_rate,
    format_seconds,
)

__all__ = ["Progress"]

WINDOW = 30
LINES_A_RUN = 20


class Progress:
    """Shows a run as its records come in; a context manager.

    `rounds` is the run's limit and `target` its ‖∇f‖², where known. Without a
    terminal it prints lines, at most one every `every_seconds` of the
    experiment's own clock and every twentieth of `rounds` (a virtual clock may
    run through hours in a moment), the first and the last record always.
    Rates are wire bytes over the last thirty rounds.
    """

    def __init__(
        self,
        *,
        rounds: int | None = None,
        target: float | None = None,
        console: Console | None = None,
        every_seconds: float = 5.0,
    ) -> None:
        self._rounds = rounds
        self._target = target
        self._console = console or Console(stderr=True)
        self._every_seconds = every_seconds
        self._every_rounds = max(1, (rounds or 0) // LINES_A_RUN)
        self._live: Live | None = None
        self._last: RoundRecord | None = None
        self._printed: RoundRecord | None = None
        self._loss: float | None = None
        self._grad_norm_sq: float | None = None
        self._metrics: Mapping[str, float] = {}
        self._up = 0
        self._down = 0
        self._window: deque[tuple[float, int, int]] = deque(maxlen=WINDOW)

    def update(self, record: RoundRecord) -> None:
        """Take the next record and show it."""
        self._last = record
        self._up += record.up().wire_bytes
        self._down += record.down().wire_bytes
        self._window.append((record.seconds, self._up, self._down))
        if record.probed:
            self._loss, self._grad_norm_sq = record.loss, record.grad_norm_sq
            self._metrics = record.metrics
        if self._console.is_terminal:
            self._show()
        elif self._due(record):
            self._print(record)

    def close(self) -> None:
        """Show the last record and stop; calling it again does nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._last is not None and not self._console.is_terminal:
            if self._last is not self._printed:
                self._print(self._last)
            self._last = None

    def line(self) -> str:
        """Return the state as one line of text; empty before the first record."""
        if self._last is None:
            return ""
        return "  ".join(f"{name} {value}" for name, value in self._figures().items())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _due(self, record: RoundRecord) -> bool:
        if self._printed is None:
            return True
        return (
            record.seconds - self._printed.seconds >= self._every_seconds
            and record.round - self._printed.round >= self._every_rounds
        )

    def _print(self, record: RoundRecord) -> None:
        self._printed = record
        self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        """Draw the panel; rich redraws it by itself from then on."""
        if self._live is None:
            self._live = Live(console=self._console, get_renderable=self._panel)
            self._live.start()

    def _panel(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold")
        table.add_column()
        for name, value in (self._figures() if self._last else {}).items():
            table.add_row(name, value)
        return table

    def _figures(self) -> dict[str, str]:
        record = self._last
        round_ = NOTHING if record is None else str(record.round)
        goal = "" if self._target is None else f" (target {format_number(self._target)})"
        up_rate, down_rate = self._rates()
        return {
            "round": round_ if self._rounds is None else f"{round_}/{self._rounds}",
            "time": format_seconds(record.seconds if record else None),
            "f": format_number(self._loss),
            "‖∇f‖²": format_number(self._grad_norm_sq) + goal,
            **{name: format_number(value) for name, value in self._metrics.items()},
            "up": f"{format_bytes(self._up)} ({format_rate(up_rate)})",
            "down": f"{format_bytes(self._down)} ({format_rate(down_rate)})",
        }

    def _rates(self) -> tuple[float | None, float | None]:
        """Return wire bytes a second, up and down; None before time has passed."""
        if not self._window:
            return None, None
        (start, up0, down0), (end, up1, down1) = self._window[0], self._window[-1]
        if end <= start:
            return None, None
        return (up1 - up0) / (end - start), (down1 - down0) / (end - start)
