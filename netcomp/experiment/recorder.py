"""What becomes of a run's course: the run folder, the ledger, the display."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netcomp.errors import NetcompError
from netcomp.experiment.build import Experiment
from netcomp.experiment.spec import Spec
from netcomp.link import Lag
from netcomp.protocol.instructions import Outcome
from netcomp.results.events import Overhead, RoundRecord
from netcomp.results.ledger import Ledger
from netcomp.results.plots import plot_run
from netcomp.results.progress import Progress
from netcomp.results.store import RunStore
from netcomp.results.summary import Target, summarise
from netcomp.roles import Array

__all__ = ["Recorder", "Result"]


@dataclass(frozen=True)
class Result:
    """How a run ended: `summary` is what `--json` prints, `model` the server's x.

    `error` is what ended a failed run; `run_dir` and `model` are None where it never began.
    """

    summary: dict[str, Any]
    model: Array | None
    run_dir: Path | None
    plots: tuple[Path, ...] = ()
    error: NetcompError | None = None


class Recorder:
    """Takes a run's records down; the run folder comes into being with the first one."""

    def __init__(
        self,
        experiment: Experiment,
        *,
        show: bool,
        keep: bool,
        plot: bool = True,
        note: Callable[[str], None],
    ) -> None:
        self._experiment = experiment
        self._keep = keep
        self._plot = plot
        self._note = note
        self._invitation = ""
        self._said = ""
        self._show = show
        self._store: RunStore | None = None
        self._ledger: Ledger | None = None
        self._progress: Progress | None = None

    @property
    def _spec(self) -> Spec:
        return self._experiment.spec

    # net.server.Observer

    def invite(self, host: str, port: int) -> None:
        """Remember what to tell a user who is to start workers."""
        shown = f"[{host}]" if ":" in host else host
        self._invitation = f"netcomp worker --connect {shown}:{port}"
        self.note(f"listening on {shown}:{port}")

    def waiting(self, present: int, ready: int, needed: int) -> None:
        """Say what the server waits for."""
        if not self._invitation:
            return
        if present < needed:
            text = f"{present}/{needed} workers; start one with: {self._invitation}"
        else:
            text = f"{needed} workers are here, {ready} have loaded their data"
        if text != self._said:
            self._said = text
            self.note(text)

    def note(self, text: str) -> None:
        """Tell the user."""
        self._note(text)

    def record(self, record: RoundRecord) -> None:
        """Write a round down and show it."""
        if self._ledger is None:
            self._open()
        assert self._ledger is not None  # noqa: S101 — for the type checker
        self._ledger.add(record)
        if self._store is not None:
            self._store.append(record)
        if self._progress is not None:
            self._progress.update(record)

    def reached(self, target: str) -> None:
        """Note where the target was reached."""
        if self._ledger is not None:
            self._ledger.mark_reached(target)

    def _open(self) -> None:
        plan = self._experiment.plan
        assert plan is not None  # noqa: S101 — rounds begin with a plan
        self._ledger = Ledger(plan.workers, plan.dim)
        if self._experiment.dropped:
            rows = self._experiment.dropped
            self.note(f"{rows} rows are left out, so that every worker has as many")
        if self._keep:
            base = Path(self._spec.record.dir)
            self._store = RunStore.create(base, self._experiment.run, complain=self._note)
            self._store.write_spec(self._spec.anywhere().toml(resolved=self._experiment.resolved()))
            self._store.write_environment()
        if self._show:
            goals = self._spec.stop.goals
            self._progress = Progress(rounds=goals.rounds, target=goals.grad_norm_sq)

    # The end

    def finish(
        self,
        outcome: Outcome,
        overhead: Overhead,
        *,
        consistent: bool,
        lag: Lag,
        model: Array | None,
    ) -> Result:
        """Close the display and the run folder; return what became of the run."""
        if self._progress is not None:
            self._progress.close()
        if not lag.valid:
            self.note(
                f"this machine could not keep up: {lag.late} of {lag.transfers} transfers on the"
                f" emulated links were late, by {lag.worst:.3g} s at worst; the run is invalid"
            )
        ledger = self._ledger or Ledger(self._spec.cluster.workers, 0)
        run_dir = self._store.path if self._store is not None else None
        data = self._spec.problem.data
        summary = summarise(
            ledger,
            overhead,
            algorithm=self._spec.algorithm.name,
            stopped_by=outcome.stopped_by,
            consistent=consistent,
            lag=lag,
            problem=self._spec.problem.name + (f" on {data}" if data else ""),
            network=self._spec.network.label(),
            target=self._target(ledger),
            resolved=self._experiment.resolved(),
            run_dir=run_dir,
        )
        plots: tuple[Path, ...] = ()
        if self._store is not None:
            self._store.write_summary(summary)
            if model is not None:
                self._store.write_model(model)
            self._store.close()
            if self._plot and ledger.rounds:
                plots = tuple(plot_run(self._store.path))
        return Result(summary, model, run_dir, plots, outcome.error)

    def _target(self, ledger: Ledger) -> Target | None:
        """Return the target that was reached, else the first that was set."""
        goals = self._spec.stop.goals
        targets = [Target(name, value) for name, value in goals.targets.items()]
        reached = [target for target in targets if target.name in ledger.reached]
        return next(iter(reached + targets), None)
