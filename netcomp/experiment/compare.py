"""Several algorithms on one problem and one network, ranked by seconds to the target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from netcomp.errors import NetcompError, SpecError
from netcomp.experiment.build import Experiment
from netcomp.experiment.run import execute
from netcomp.experiment.spec import AlgorithmSpec, Spec
from netcomp.experiment.tree import merged, override
from netcomp.results.jsonable import dumps
from netcomp.results.plots import plot_comparison
from netcomp.results.report import ranked
from netcomp.results.store import fresh_folder

__all__ = ["Comparison", "compare", "contestant", "contestants"]


@dataclass(frozen=True)
class Comparison:
    """The summaries in order of rank, each with its "label"; where the plot and all runs are.

    `errors` are those of runs that failed on the way.
    """

    summaries: tuple[Mapping[str, Any], ...]
    folder: Path
    plot: Path
    errors: tuple[NetcompError, ...] = ()


def contestant(text: str) -> dict[str, Any]:
    """Read "marina" or "m3,step_size=64*theory,up.p=0.1" as a table of `[algorithm]`.

    A comma only ends a value where a key of `[algorithm]` follows, so that compressors may
    have commas of their own. Raises `SpecError` where a part is not of the form key=value.
    """
    name, *pieces = text.split(",")
    options: list[str] = []
    for piece in pieces:
        key = piece.partition("=")[0].partition(".")[0]
        if "=" in piece and key in (*AlgorithmSpec.model_fields, "label"):
            options.append(piece)
        elif options:
            options[-1] += f",{piece}"
        else:
            raise SpecError("--algorithm", f"in {text!r}, {piece!r} is no key=value of [algorithm]")
    table: dict[str, Any] = {"name": name}
    for option in options:
        override(table, option)
    return table


def contestants(tree: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Split a comparison's tree into the common spec and the `[[compare]]` tables."""
    common = dict(tree)
    tables = common.pop("compare", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SpecError("compare", "is not a list of algorithm tables, [[compare]]")
    return common, tables


def compare(
    tree: Mapping[str, Any],
    algorithms: Sequence[Mapping[str, Any]],
    *,
    show: bool = False,
    note: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Run every algorithm on the common spec and rank them.

    `tree` is the common spec, `algorithms` the `[algorithm]` tables laid over it; a table's
    "label" names the run. All are checked before the first one runs; one that fails leaves the
    others alone. Raises `SpecError`, and the first error where no run began.
    """
    if not algorithms:
        raise SpecError("compare", "no algorithm to compare")
    labelled = [(str(table.get("label", table.get("name", "gd"))), table) for table in algorithms]
    specs = []
    for label, table in labelled:
        own = {key: value for key, value in table.items() if key != "label"}
        specs.append((label, Spec.parse(merged(tree, {"algorithm": own}))))
        Experiment(specs[-1][1], label).check_data()
    folder = _folder(Path(specs[0][1].record.dir))
    summaries = []
    errors = []
    for label, spec in specs:
        note(f"running {label}")
        record = spec.record.model_copy(update={"dir": str(folder)})
        placed = spec.model_copy(update={"record": record})
        # One figure for all is drawn below; one a run would cost as long as a short run.
        result = execute(placed, show=show, plot=False, name=label, note=note)
        if result.run_dir is not None:
            summaries.append(result.summary | {"label": label})
        if result.error is not None:
            note(f"{label} failed: {result.error}")
            errors.append(result.error)
        if result.summary["stopped_by"] == "interrupted":
            break
    if not summaries:
        # None came to its first row: there is nothing to rank.
        raise errors[0] if errors else NetcompError("interrupted before the first round")
    runs = [(summary["label"], summary["run_dir"]) for summary in summaries]
    target = specs[0][1].stop.grad_norm_sq
    plot = plot_comparison(runs, target, folder / "comparison.png")
    order = tuple(ranked(summaries))
    (folder / "comparison.json").write_text(dumps({"runs": list(order)}, indent=2) + "\n")
    return Comparison(order, folder, plot, tuple(errors))


def _folder(base: Path) -> Path:
    try:
        return fresh_folder(base, f"{datetime.now(UTC):%Y%m%d-%H%M%S}-compare")
    except OSError as error:
        raise SpecError("record.dir", f"{base}: {error.strerror}") from None
