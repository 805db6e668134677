"""Variance and δ against bits a coordinate: Beznosikov et al. Fig. 1 and 3, for every compressor.

One Gaussian x, d = 10⁴ as there. For each compressor, means over several draws:

- variance: E‖C(x) − x‖²/‖x‖², of C as it is (Fig. 1);
- δ = E‖C(x)‖²‖x‖²/⟨E C(x), x⟩², the B³ constant of λC on this x with the λ that makes it
  least (Fig. 3 compares what is in B³ "up to scaling", (5) there);
- bits a coordinate, twice: as the papers count (`Payload.paper_bits`), and of the whole frame
  on the wire, header included.

A claim is judged at fixed budgets of bits: a family (one notation, its parameter free) is as good
as its best member within the budget. The claim of Fig. 3 is about the paper's own compressors;
what netcomp has besides stands under a claim of its own.
"""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compressors.own import keys, wire_bytes
from netcomp.compressors import parse_compressor
from netcomp.results.plots import LINE_STYLES, PALETTE, new_figure, save_figure

__all__ = ["BUDGETS", "claims", "families", "points", "write"]

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Bits a coordinate."""

WINNER = "top-k + natural dithering"
PAPERS = (
    "rand-k",
    "top-k",
    "natural dithering, p=∞",
    "natural dithering, p=2",
    "standard dithering, p=∞",
    "standard dithering, p=2",
    "ternary",
    "natural",
)
"""The families Fig. 3 sets the winner against."""

Point = Mapping[str, Any]


def families(d: int) -> dict[str, list[str]]:
    """Return every family's notations, in the order of their parameter."""
    ks = sorted({min(d, round(d ** (i / 40))) for i in range(41)})
    levels = range(1, 13)
    uniform = [2**i - 1 for i in range(1, 13)]
    return {
        "rand-k": [f"rand-k:k={k},scaled=no" for k in ks],
        "top-k": [f"top-k:k={k}" for k in ks],
        "natural dithering, p=∞": [f"dither:s={s},p=inf" for s in levels],
        "natural dithering, p=2": [f"dither:s={s}" for s in levels],
        "standard dithering, p=∞": [f"qsgd:s={s},p=inf" for s in uniform],
        "standard dithering, p=2": [f"qsgd:s={s}" for s in uniform],
        "ternary": ["ternary"],
        "natural": ["natural"],
        WINNER: [f"top-k:k={k}+dither:s={s},p=inf" for s in (2, 4, 8) for k in ks],
        "top-k + natural": [f"top-k:k={k}+natural" for k in ks],
        "rand-k + natural": [f"rand-k:k={k}+natural" for k in ks],
        "bernoulli": [f"bernoulli:p={k / d}" for k in ks],
        "perm-k, one of n": ["perm-k"],
        "adaptive": ["adaptive"],
        "natural, coded": ["natural:coding=entropy"],
        "round, to the nearest": ["round:b=2,biased=yes"],
        "ternary, coded": ["dither:s=1,b=1,p=inf"],
        "sign": ["sign"],
        "sketch": [f"sketch:m={m}" for m in (10, 100)],
        "fcc of top-k": [f"fcc:r=4(top-k:k={k})" for k in ks if 4 * k <= d],
        "float formats": ["f16", "bf16", "f32"],
    }


def points(d: int, draws: int, chosen: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return a point a compressor of `chosen` families, means over `draws` messages."""
    x = np.random.default_rng(3).standard_normal(d)
    return [
        {"family": family, "compressor": text, **_point(text, x, draws)}
        for family, texts in chosen.items()
        for text in texts
    ]


def _point(text: str, x: Any, draws: int) -> dict[str, float]:
    d = x.size
    # float32 goes in, as everywhere in the benchmark; the errors are those to the same x.
    single = x.astype(np.float32)
    exact = single.astype(np.float64)
    compressor = parse_compressor(text).resolve(d, 10)
    squared, product, error, paper, wire = np.zeros(5)
    for draw in itertools.islice(keys(), draws):
        payload = compressor.compress(single, draw)
        decoded = payload.dense()
        squared += decoded @ decoded
        product += decoded @ exact
        error += np.sum((decoded - exact) ** 2)
        paper += payload.paper_bits
        wire += 8 * wire_bytes(compressor, payload, draw)
    energy = exact @ exact
    delta = draws * squared * energy / product**2 if product > 0 else math.inf
    return {
        "paper_bits": float(paper / draws / d),
        "wire_bits": float(wire / draws / d),
        "variance": float(error / draws / energy),
        "delta": float(delta),
    }


def claims(found: Sequence[Point]) -> list[dict[str, Any]]:
    """Return the paper's claims, each in the paper's bits and in wire bits, with verdicts."""
    others = {point["family"] for point in found} - {WINNER, *PAPERS}
    return [
        claim
        for bits in ("paper_bits", "wire_bits")
        for claim in (
            _lowest(found, bits, WINNER, PAPERS, "delta", f"Fig. 3: {WINNER} has the lowest δ"),
            _lowest(
                found,
                bits,
                WINNER,
                sorted(others),
                "delta",
                f"beyond Fig. 3: {WINNER} has a lower δ than what netcomp has besides",
            ),
            _lowest(
                found,
                bits,
                "top-k",
                ("rand-k",),
                "variance",
                "Fig. 1: top-k has a lower variance than rand-k",
            ),
            _straight(found, bits),
            _exponential(found, bits),
        )
    ]


def _lowest(
    found: Sequence[Point], bits: str, winner: str, rivals: Sequence[str], key: str, text: str
) -> dict[str, Any]:
    """Judge whether `winner` is strictly below every rival at each budget it can keep to."""
    figures = []
    for budget in BUDGETS:
        best = {
            family: min(own)
            for family in (winner, *rivals)
            if (own := [p[key] for p in found if p["family"] == family and p[bits] <= budget])
        }
        rival = min((family for family in best if family != winner), key=best.get, default=None)
        figures.append(
            {
                "budget": budget,
                "winner": best.get(winner),
                "best_rival": rival,
                "rival": best.get(rival),
                "holds": winner in best and (rival is None or best[winner] < best[rival]),
            }
        )
    return {
        "claim": text,
        "bits": bits,
        "figures": figures,
        "verdict": "holds" if all(one["holds"] for one in figures) else "does not hold",
    }


def _straight(found: Sequence[Point], bits: str) -> dict[str, Any]:
    """Judge "the variance of rand-k is almost 1 − (b/d)/32": within 0.01 at every k."""
    own = [p for p in found if p["family"] == "rand-k"]
    apart = max(abs(p["variance"] - (1.0 - p[bits] / 32.0)) for p in own)
    return {
        "claim": "Fig. 1: the variance of rand-k is 1 − (bits a coordinate)/32, within 0.01",
        "bits": bits,
        "figures": [{"largest_difference": apart}],
        "verdict": "holds" if apart <= 0.01 else "does not hold",
    }


def _exponential(found: Sequence[Point], bits: str) -> dict[str, Any]:
    """Judge "≈ 0.86^(b/d)": the base that fits log variance best rounds to 0.86."""
    own = [p for p in found if p["family"] == "top-k" and p["variance"] > 1e-3]
    b = np.array([p[bits] for p in own])
    logs = np.log([p["variance"] for p in own])
    base = float(np.exp(b @ logs / (b @ b)))
    return {
        "claim": "Fig. 1: the variance of top-k is about 0.86^(bits a coordinate)",
        "bits": bits,
        "figures": [{"fitted_base": base}],
        "verdict": "holds" if round(base, 2) == 0.86 else "does not hold",
    }


def write(found: Sequence[Point], judged: Sequence[Mapping[str, Any]], out: Path) -> list[Path]:
    """Write b2.json, b2.csv, b2.md and b2.png into `out`; return their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"b2.{ending}" for ending in ("json", "csv", "md", "png")]
    content = {"claims": judged, "points": found}
    paths[0].write_text(json.dumps(content, indent=1) + "\n")
    with paths[1].open("w", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    paths[2].write_text("\n".join(("# Variance and δ against bits\n", *lines(judged))) + "\n")
    _plot(found, paths[3])
    return paths


def lines(judged: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield Markdown: each claim with its verdict, and the figures below it."""
    for claim in judged:
        counted = "the papers' bits" if claim["bits"] == "paper_bits" else "wire bits"
        yield f"- {claim['claim']} ({counted}): **{claim['verdict']}**{_where(claim)}"
        for figure in claim["figures"]:
            said = ", ".join(f"{key} {_text(value)}" for key, value in figure.items())
            yield f"    - {said}"


def _where(claim: Mapping[str, Any]) -> str:
    """Return at which budgets a claim holds that does not at all of them."""
    at = [f"{one['budget']:g}" for one in claim["figures"] if one.get("holds")]
    return f"; at {', '.join(at)} bits it does" if at and claim["verdict"] != "holds" else ""


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "–" if value is None else str(value)


def _plot(found: Sequence[Point], path: Path) -> None:
    figure = new_figure(15, 11)
    names = list(dict.fromkeys(point["family"] for point in found))
    styles = dict(zip(names, itertools.product(LINE_STYLES, PALETTE), strict=False))
    kinds = (("variance", "E‖C(x) − x‖²/‖x‖²"), ("delta", "δ"))
    scales = (("paper_bits", "the papers' bits"), ("wire_bits", "wire bits"))
    panels = figure.subplots(2, 2).flat
    for axes, ((key, label), (bits, unit)) in zip(
        panels, itertools.product(kinds, scales), strict=True
    ):
        for name in names:
            own = sorted((p[bits], p[key]) for p in found if p["family"] == name)
            style, colour = styles[name]
            thick = 3.0 if name == WINNER else 1.2
            marks = "." if name == WINNER else None
            joined = "" if name == WINNER else style
            axes.plot(
                *zip(*own, strict=True),
                linestyle=joined,
                color=colour,
                linewidth=thick,
                marker=marks if len(own) > 1 else "o",
                markersize=4,
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel=f"{unit} a coordinate", ylabel=label)
        axes.set_ylim(*((1e-4, 10.0) if key == "variance" else (0.95, 1e4)))
        axes.grid(visible=True, alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    save_figure(figure, path)
