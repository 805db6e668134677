"""`netcomp data`: which data sets there are, fetching one, and what is in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from netcomp.cli.options import Json, find_modules_here, print_json, stderr
from netcomp.data import (
    BUILTIN,
    CATALOGUE,
    GENERATORS,
    SPLITS,
    Dataset,
    cache_folder,
    data_folders,
    fetch,
    find,
    load,
    parse_split,
    place_of,
)
from netcomp.draw import Draw
from netcomp.errors import UnknownName
from netcomp.results.format import format_bytes

__all__ = ["app"]

_SHOWN = 12  # labels; more are those of a regression

app = typer.Typer(
    help="The data sets: list them, fetch one, look into one.",
    rich_markup_mode=None,
)


@app.command("list")
def list_command(json: Json = False) -> None:
    """List the data sets that have names, where their files lie, and the splits."""
    rows = [*_built_in(), *_known(), *_generators()]
    splits = [
        {"name": name, "parameters": list(rule.model_fields), "summary": rule.summary}
        for name, rule in SPLITS.items()
    ]
    if json:
        print_json({"data": rows, "splits": splits})
        return
    table = Table("name", "rows", "features", box=None, pad_edge=False)
    for title in ("where", "origin"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(table)
    console.print()
    table = Table("split", "parameters", "who gets what", box=None, pad_edge=False)
    for name, rule in SPLITS.items():
        table.add_row(name, ", ".join(rule.model_fields), rule.summary)
    console.print(table)


@app.command("fetch")
def fetch_command(
    name: Annotated[str, typer.Argument(help="A known data set; see `netcomp data list`.")],
    into: Annotated[
        Path | None, typer.Option(help="The folder; the cache, where it is found, unless told.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(help="An address the files are below, for the published one.")
    ] = None,
    json: Json = False,
) -> None:
    """Download a known data set, resuming what was begun; a wrong digest is refused."""
    if name not in CATALOGUE:
        raise UnknownName("published data set", name, CATALOGUE)
    folder = cache_folder() if into is None else into
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=stderr,
        disable=json or not stderr.is_terminal,
    ) as bars:
        paths = fetch(CATALOGUE[name], folder, mirror=mirror, progress=_follow(bars))
    if json:
        print_json({"name": name, "paths": [str(path) for path in paths]})
        return
    for path in paths:
        print(path)


@app.command("info")
def info_command(
    name: Annotated[str, typer.Argument(help="A data set: a name, a path or a generator.")],
    split: Annotated[
        str | None, typer.Option(help="Deal it like this and show the shards.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Among so many workers.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the split.")] = 1,
    json: Json = False,
) -> None:
    """Say what is in a data set: size, density, labels, digest, and what becomes of it."""
    find_modules_here()
    folders = data_folders()
    data, place = load(name, folders), find(name, folders)
    facts = _facts(data) | {"paths": [str(path) for path in place.paths]}
    if split is not None:
        dealt = parse_split(split, "--split").deal(data, workers, Draw(seed))
        labels = [np.unique(data.targets[part]).size for part in dealt.parts]
        facts["split"] = {
            "rule": split,
            "sizes": [part.size for part in dealt.parts],
            "labels": labels,
            "dropped": dealt.dropped,
        }
    if json:
        print_json(facts)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for key, value in facts.items():
        table.add_row(key, _text(value))
    Console(markup=False, highlight=False, soft_wrap=True).print(table)


def _follow(bars: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, Any] = {}

    def progress(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done)

    return progress


def _built_in() -> list[dict[str, Any]]:
    return [
        _row(name, one.rows, one.features, "built in", "scikit-learn")
        for name, one in sorted(BUILTIN.items())
    ]


def _known() -> list[dict[str, Any]]:
    rows = []
    for name, known in sorted(CATALOGUE.items()):
        place = place_of(known, data_folders())
        size = format_bytes(sum(remote.size for remote in known.files))
        where = f"to be fetched ({size})" if place is None else str(place.paths[0])
        rows.append(_row(name, known.rows, known.features, where, known.origin))
    return rows


def _generators() -> list[dict[str, Any]]:
    return [
        _row(f"{name}:…", None, None, "made up", kind.summary)
        for name, kind in sorted(GENERATORS.items())
    ]


def _row(
    name: str, rows: int | None, features: int | None, where: str, origin: str
) -> dict[str, Any]:
    return {"name": name, "rows": rows, "features": features, "where": where, "origin": origin}


def _facts(data: Dataset) -> dict[str, Any]:
    stored = data.features.nnz if data.sparse else np.count_nonzero(data.features)
    labels, counts = np.unique(data.targets, return_counts=True)
    facts: dict[str, Any] = {
        "name": data.name,
        "rows": data.rows,
        "features": data.dim,
        "density": int(stored) / (data.rows * data.dim),
        "stored": "CSR" if data.sparse else "dense",
        "digest": data.digest,
    }
    if labels.size <= _SHOWN:
        facts["labels"] = {
            f"{label:g}": int(count) for label, count in zip(labels, counts, strict=True)
        }
    else:
        facts["targets"] = {
            "distinct": labels.size,
            "least": float(labels[0]),
            "greatest": float(labels[-1]),
        }
    return facts | {"classification": _classification(labels)}


def _classification(labels: np.ndarray[Any, Any]) -> str:
    """Return what a problem for labels ±1 does with the targets."""
    if labels.size == 2:  # noqa: PLR2004 - a binary problem has two classes
        return f"{labels[0]:g} becomes -1, {labels[1]:g} becomes +1"
    return "refused, unless problem.classes or problem.positive says which labels are meant"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
