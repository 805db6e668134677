"""The results as JSON, CSV, a Markdown page, and a picture of speed against bits."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from netcomp.results.plots import PALETTE, new_figure, save_figure

__all__ = ["page", "pivot", "write"]

Row = Mapping[str, Any]

_LAYOUT: Mapping[str, tuple[Any, ...]] = {
    "bytes": (("goal", "compressor"), "vector"),
    "speed": (("goal", "compressor", "d"), "vector", ("peer_seconds", "our_seconds", "gate")),
    "decoding": (("goal", "compressor"), "d", ("gate",)),
    "memory": (("goal", "compressor"), "d"),
}
"""How the verdicts of each kind are laid out by `pivot`."""

_ORDER = ("does not hold", "not measured", "within the gate", "holds")


def write(results: Mapping[str, Any], out: Path) -> list[Path]:
    """Write results.json, results.csv, table.md and speed.png into `out`; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in ("results.json", "results.csv", "table.md", "speed.png")]
    paths[0].write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
    _write_csv(results, paths[1])
    paths[2].write_text(page(results))
    _plot(results, paths[3])
    return paths


def _write_csv(results: Mapping[str, Any], path: Path) -> None:
    rows = [{"library": "netcomp", **row} for row in results["rows"]]
    rows += [
        {"library": row["peer"], "compressor": row["codec"], **row} for row in results["peers"]
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    columns = [key for key in columns if key not in ("peer", "codec")]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def page(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown."""
    machine = results["machine"]
    on = ", ".join((machine["cpu"], machine["system"], machine["python"]))
    on += f", numpy {machine['versions']['numpy']}, netcomp {machine['versions']['netcomp']}"
    pieces = [
        "# Compressors\n",
        f"{on}. Made by `python -m benchmarks.compressors`.\n",
        *_goals_section(results),
        *(text for d in results["sizes"] for text in _size_section(results, d)),
        *_peers_section(results),
        *_coders_section(results["coders"]),
    ]
    return "\n".join(pieces)


def _goals_section(results: Mapping[str, Any]) -> Iterator[str]:
    for key, verdicts in results["verdicts"].items():
        if verdicts:
            counted = {word: sum(v["verdict"] == word for v in verdicts) for word in _ORDER}
            said = ", ".join(f"{word}: {count}" for word, count in counted.items() if count)
            yield f"## Goals: {key}\n\nOf {len(verdicts)} verdicts {said}.\n"
            yield _table(*pivot(verdicts, *_LAYOUT[key]))


def pivot(
    verdicts: Sequence[Row], by: Sequence[str], across: str, extras: Sequence[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of a table of verdicts: a row a group of equal `by`.

    A row has the group's worst figure for each value of `across`, `extras` of the worst of
    them all, and the worst verdict. The largest figure is the worst, for a goal with a gate
    the smallest.
    """
    columns = list(dict.fromkeys(verdict[across] for verdict in verdicts))
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for verdict in verdicts:
        groups.setdefault(tuple(verdict[key] for key in by), []).append(verdict)
    rows = []
    for key, members in groups.items():
        worst = {value: _worst(m for m in members if m[across] == value) for value in columns}
        whole = _worst(members)
        cells = [*key, *(worst[value].get("figure") for value in columns)]
        cells += [whole.get(name) for name in (*extras, "allowed")]
        verdict = min((m["verdict"] for m in members), key=_ORDER.index)
        rows.append([*map(_number, cells), verdict])
    heads = [*by, *map(str, columns), *(name.replace("_", " ") for name in extras)]
    return [*heads, "goal is", "verdict"], rows


def _worst(members: Iterable[Row]) -> Row:
    """Return the member whose figure is worst; one that was not measured only where all are."""
    known = [member for member in members if member["figure"] is not None]
    if not known:
        return {}
    worst: Callable[..., Row] = min if "gate" in known[0] else max
    return worst(known, key=lambda member: member["figure"])


def _size_section(results: Mapping[str, Any], d: int) -> Iterator[str]:
    rows = [row for row in results["rows"] if row["d"] == d]
    names = list(dict.fromkeys(row["vector"] for row in rows))
    if not rows:
        return
    copied = [4e-9 * d / row["copy_seconds"] for row in rows]
    yield (
        f"## d = {d}\n\nA copy: {min(copied):.1f} to {max(copied):.1f} GB/s. Speeds on"
        f" {names[0]}; bits a value on each vector, and × of their limit.\n"
    )
    heads = ["compressor", "encode GB/s", "of copy", "decode GB/s", "of copy", "peak"]
    own = {(row["compressor"], row["vector"]): row for row in rows}
    lines = []
    for name in dict.fromkeys(row["compressor"] for row in rows):
        bits = [_bits(own.get((name, vector))) for vector in names]
        lines.append([name, *_speeds(own[name, names[0]]), *bits])
    yield _table([*heads, *names], lines)


def _speeds(row: Row) -> list[str]:
    cells = []
    for way in ("encode", "decode"):
        seconds = row[f"{way}_seconds"]
        cells += [_number(4e-9 * row["d"] / seconds), _number(row[f"{way}_ratio"])]
    return [*cells, f"{row['peak_ratio']:.2f}"]


def _bits(row: Row | None) -> str:
    if row is None:
        return "–"
    share = f" ({row['payload_bits'] / row['limit_bits']:.3f})" if row["limit_bits"] else ""
    return f"{row['payload_bits']:.4g}{share}"


def _peers_section(results: Mapping[str, Any]) -> Iterator[str]:
    named = "; ".join(
        f"{peer}: {', '.join(f'{name} {number}' for name, number in versions.items())}"
        for peer, versions in results["peer_versions"].items()
    )
    yield (
        "## Peers\n\nOne thread each, against a copy in their own process; error is"
        f" ‖C(x) − x‖²/‖x‖². {named or 'None was measured'}.\n"
    )
    heads = ["peer", "codec", "vector", "d", "encode of copy", "decode of copy", "bits", "error"]
    lines = [
        [
            *map(str, (row["peer"], row["codec"], row["vector"], row["d"])),
            *(_number(row.get(key)) for key in ("encode_ratio", "decode_ratio", "bits")),
            row.get("error") or _number(row.get("error_share")),
        ]
        for row in results["peers"]
    ]
    lines += [
        [peer, "not measured", "–", "–", "–", "–", "–", error]
        for peer, error in results["peer_errors"].items()
    ]
    yield _table(heads, lines)


def _coders_section(rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        yield f"## Coders alone, {rows[0]['d']} symbols\n"
        heads = ["coder", "bits a symbol", "of limit", "encode of copy", "decode of copy"]
        lines = [
            [
                row["coder"],
                _number(row["bits"]),
                f"{row['bits'] / row['limit_bits']:.4f}",
                *(_number(row[key]) for key in ("encode_ratio", "decode_ratio")),
            ]
            for row in rows
        ]
        yield _table(heads, lines)


def _number(value: Any) -> str:
    """Return a figure to four digits, a dash for None, anything else as it is."""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return "–" if value is None else str(value)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


def _plot(results: Mapping[str, Any], path: Path) -> None:
    """Draw encoding speed against bits a value, a panel a dimension, on the first vector."""
    vector = results["vectors"][0]
    own = [
        {"peer": "netcomp", "codec": row["compressor"], "bits": row["payload_bits"], **row}
        for row in results["rows"]
    ]
    rows = [row for row in [*own, *results["peers"]] if row["vector"] == vector]
    rows = [row for row in rows if row.get("bits")]
    libraries = dict(zip(dict.fromkeys(row["peer"] for row in rows), PALETTE, strict=False))
    figure = new_figure(6 * len(results["sizes"]), 6)
    panels = figure.subplots(1, len(results["sizes"]), squeeze=False)[0]
    for axes, d in zip(panels, results["sizes"], strict=True):
        for library, colour in libraries.items():
            here = [row for row in rows if row["d"] == d and row["peer"] == library]
            bits = [row["bits"] for row in here]
            shares = [row["encode_ratio"] for row in here]
            axes.scatter(bits, shares, s=18, color=colour, label=library)
            for row, place in zip(here, zip(bits, shares, strict=True), strict=True):
                axes.annotate(
                    row["codec"], place, fontsize=5, xytext=(3, 2), textcoords="offset points"
                )
        axes.axhline(1.0, color="black", linestyle="--", linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel="bits a value", title=f"d = {d}, {vector}")
        axes.grid(visible=True, alpha=0.3)
    panels[0].set_ylabel("encoding speed, share of an array copy's")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    save_figure(figure, path)
