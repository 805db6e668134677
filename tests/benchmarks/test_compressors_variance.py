"""The figure of variance and δ against bits: its points, and claims judged from points."""

import csv
import json

import pytest

from benchmarks.compressors import variance
from benchmarks.compressors.variance import BUDGETS, PAPERS, WINNER
from netcomp.compressors import parse_compressor

D = 500


@pytest.fixture(scope="module")
def few():
    chosen = {
        "rand-k": ["rand-k:k=50,scaled=no", "rand-k:k=500,scaled=no"],
        "top-k": ["top-k:k=50", "top-k:k=500"],
        "natural": ["natural"],
        WINNER: ["top-k:k=50+dither:s=4,p=inf"],
    }
    return variance.points(D, 200, chosen)


def named(points, compressor):
    return next(point for point in points if point["compressor"] == compressor)


def test_every_family_reads_in_every_dimension():
    for d in (100, 10**4):
        for texts in variance.families(d).values():
            for text in texts:
                parse_compressor(text).resolve(d, 10)
    assert {WINNER, *PAPERS} <= set(variance.families(100))


def test_all_of_a_vector_has_no_variance_and_the_least_delta(few):
    for text in ("top-k:k=500", "rand-k:k=500,scaled=no"):
        point = named(few, text)
        assert (0.0, pytest.approx(1.0)) == (point["variance"], point["delta"])


def test_top_k_has_the_delta_of_the_energy_it_keeps(few):
    """It is a projection: the variance is what is left out, and δ one over what is kept."""
    point = named(few, "top-k:k=50")
    assert 1.0 - point["variance"] == pytest.approx(1.0 / point["delta"], rel=1e-6)
    assert point["variance"] < 1.0 - 50 / D


def test_rand_k_has_the_variance_its_class_says(few):
    assert named(few, "rand-k:k=50,scaled=no")["variance"] == pytest.approx(0.9, abs=0.02)


def test_natural_is_unbiased_so_delta_is_one_more_than_the_variance(few):
    point = named(few, "natural")
    assert point["delta"] == pytest.approx(1.0 + point["variance"], abs=0.01)
    assert 0.0 < point["variance"] <= 1 / 8


def test_both_bits_are_counted(few):
    """The papers count 9 bits a value and no header; the wire has 23 + 2 · 5 more bytes."""
    point = named(few, "natural")
    assert (9.0, pytest.approx((500 + 63) * 8 / D, abs=40 * 8 / D)) == (
        point["paper_bits"],
        point["wire_bits"],
    )
    assert point["wire_bits"] > point["paper_bits"]


def line(family, bits, **values):
    return {
        "family": family,
        "compressor": family,
        "paper_bits": bits,
        "wire_bits": bits,
        "variance": 0.5,
        "delta": 2.0,
        **values,
    }


def judged(points, text):
    found = [c for c in variance.claims(points) if text in c["claim"]]
    assert ["paper_bits", "wire_bits"] == [c["bits"] for c in found]
    return [c["verdict"] for c in found]


LINES = [line("rand-k", 0.1, variance=1 - 0.1 / 32), line("top-k", 0.1, variance=0.86**0.1)]


def test_the_lowest_is_the_one_that_is_below_all_others_at_every_budget():
    points = [*LINES, line(WINNER, 0.2, delta=1.9), line("sign", 1.0, delta=1.0)]
    assert ["holds"] * 2 == judged(points, "Fig. 3: top-k + natural dithering has the lowest")


def test_one_budget_with_a_better_rival_or_a_tie_is_enough_to_fail():
    for rival in (line("ternary", 7.0, delta=1.8), line("natural", 7.0, delta=1.9)):
        points = [*LINES, line(WINNER, 0.2, delta=1.9), rival]
        claims = [c for c in variance.claims(points) if "has the lowest δ" in c["claim"]]
        assert ["does not hold"] * 2 == [c["verdict"] for c in claims]
        figures = claims[0]["figures"]
        assert list(BUDGETS) == [one["budget"] for one in figures]
        assert [b < 7.0 for b in BUDGETS] == [one["holds"] for one in figures]
        assert rival["family"] == figures[-1]["best_rival"]


def test_a_claim_that_fails_says_where_it_holds():
    points = [*LINES, line(WINNER, 0.2, delta=1.9), line("ternary", 7.0, delta=1.8)]
    first = next(variance.lines(variance.claims(points)))
    assert first.endswith("**does not hold**; at 0.25, 0.5, 1, 2, 4 bits it does")


def test_a_budget_the_winner_cannot_keep_to_counts_against_it():
    points = [*LINES, line(WINNER, 0.3, delta=1.0)]
    assert ["does not hold"] * 2 == judged(points, "has the lowest δ")


def test_what_netcomp_has_besides_is_a_claim_of_its_own():
    points = [*LINES, line(WINNER, 0.2, delta=1.9), line("sign", 1.0, delta=1.0)]
    assert ["does not hold"] * 2 == judged(points, "beyond Fig. 3")


def test_the_paper_and_the_wire_are_judged_apart():
    points = [*LINES, line(WINNER, 0.2, delta=1.9, wire_bits=20.0)]
    assert ["holds", "does not hold"] == judged(points, "has the lowest δ")


def test_the_two_formulas_of_figure_1_are_judged_as_printed():
    winner = line(WINNER, 0.2)
    assert ["holds"] * 2 == judged([*LINES, winner], "1 − (bits")
    assert ["holds"] * 2 == judged([*LINES, winner], "0.86^")
    off = [line("rand-k", 1.0, variance=0.9), line("top-k", 1.0, variance=0.8), winner]
    assert ["does not hold"] * 2 == judged(off, "1 − (bits")
    assert ["does not hold"] * 2 == judged(off, "0.86^")


def test_points_and_claims_are_written(few, tmp_path):
    claims = variance.claims(few)
    paths = variance.write(few, claims, tmp_path / "new")
    assert ["b2.json", "b2.csv", "b2.md", "b2.png"] == [path.name for path in paths]
    content = json.loads(paths[0].read_text())
    assert (few, len(claims)) == (content["points"], len(content["claims"]))
    assert len(few) == len(list(csv.DictReader(paths[1].read_text().splitlines())))
    assert all(f"{c['claim']} (" in paths[2].read_text() for c in claims)
    assert paths[3].read_bytes().startswith(b"\x89PNG")
