"""The summary's keys are an interface; the tables rank as they say."""

import io
import math
import re

from rich.console import Console

from netcomp.link import Lag
from netcomp.results.events import Overhead, RoundRecord, Times, Traffic, WorkerRound
from netcomp.results.jsonable import dumps, loads
from netcomp.results.ledger import Ledger
from netcomp.results.report import Progress, comparison_table, ranked, run_table, winners
from netcomp.results.summary import SUMMARY_KEYS, Target, summarise

from .conftest import make_records

PROMISED = [
    *("algorithm", "workers", "dim", "rounds", "seconds", "loss", "grad_norm_sq"),
    *("reached_target", "uplink", "downlink", "time_shares", "run_dir"),
]


def text_of(renderable, width=200):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def finished(name, seconds, wire, grad_norm_sq=1e-9, target=1e-6):
    """Summary of a run that reached its target, or with seconds None did not."""
    ledger = Ledger(1, 3)
    traffic = Traffic(8.0 * wire, wire, wire)
    part = WorkerRound(0, traffic, traffic, Times(up=1.0))
    ledger.add(RoundRecord(5, seconds or 1.0, (part,), 0.0, grad_norm_sq))
    if seconds is not None:
        ledger.mark_reached("grad_norm_sq")
    goal = Target("grad_norm_sq", target)
    return summarise(
        ledger, Overhead(), algorithm=name, stopped_by="rounds", consistent=True, target=goal
    )


def test_summary_keys_are_the_promised_ones(run):
    """Exactly SUMMARY_KEYS, which hold all that the command line promises."""
    _, summary = run
    assert list(SUMMARY_KEYS) == list(summary)
    assert set(PROMISED) <= set(summary)
    assert {"paper_bits", "payload_bytes", "wire_bytes"} == set(summary["uplink"])
    assert set(summary["uplink"]) == set(summary["downlink"])
    assert list(summary["time_shares"]) == ["compute", "compress", "up", "down", "wait"]
    keys = ["name", "value", "round", "seconds", "uplink", "downlink"]
    assert keys == list(summary["target"])
    assert {"handshake", "control", "probe"} == set(summary["overhead"])


def test_a_diverged_runs_summary_is_strict_json():
    """NaN and infinity become null on the way out."""
    ledger = Ledger(1, 1)
    ledger.add(RoundRecord(3, 1.0, (), math.nan, math.inf))
    summary = summarise(
        ledger,
        Overhead(),
        algorithm="gd",
        stopped_by="not finite",
        consistent=False,
        resolved={"step_size": math.inf},
    )
    assert summary == loads(dumps(summary))
    assert (
        *(summary["loss"], summary["grad_norm_sq"]),
        summary["resolved"]["step_size"],
    ) == (None, None, None)
    assert summary["target"] is None
    assert summary["reached_target"] is False


def test_a_missed_target_keeps_its_name_and_has_no_costs():
    """Null costs say "not reached"; a null target says "none set"."""
    target = finished("gd", None, 1)["target"]
    assert (target["name"], target["value"]) == ("grad_norm_sq", 1e-6)
    assert [target[key] for key in ("round", "seconds", "uplink", "downlink")] == [None] * 4


def test_ranking_by_seconds_then_missed_by_gradient():
    """Reached first by seconds, then missed by ‖∇f‖², diverged last."""
    runs = [
        finished("diverged", None, 1, math.nan),
        finished("slow", 9.0, 10),
        finished("near", None, 1, 1e-3),
        finished("far", None, 1, 1.0),
        finished("fast", 2.0, 1000),
    ]
    order = ["fast", "slow", "near", "far", "diverged"]
    assert order == [summary["algorithm"] for summary in ranked(runs)]
    text = text_of(comparison_table(runs))
    assert sorted(text.index(name) for name in order) == [text.index(name) for name in order]


def test_comparison_fits_eighty_columns():
    """On a narrow terminal no column is lost or cut."""
    runs = [finished("marina rand-k:k=5", 2.0, 123456), finished("ef21", None, 1, 1.0)]
    text = text_of(comparison_table(runs), width=80)
    for word in ("bottleneck", "uplink", "reached", "rounds", "to target", "123 kB", "1.00e+00"):
        assert word in text
    assert "…" not in text


def test_winners_may_differ_in_seconds_and_bytes():
    """Each criterion names its own winner, with its cost."""
    runs = [finished("slow", 9.0, 10), finished("fast", 2.0, 1000)]
    expected = "first in seconds: fast (2.00 s); first in bytes (up + down): slow (20 B)."
    assert expected == winners(runs)
    assert "different targets" in winners([*runs, finished("other", 1.0, 1, target=0.5)])


def test_no_winner_is_claimed_where_nobody_reached():
    """The closest run is named as closest, not as first."""
    text = winners([finished("far", None, 1, 1.0), finished("near", None, 1, 1e-3)])
    assert text == "no run reached a target; closest: near (‖∇f‖² = 0.001)."
    assert winners([]) == "nothing to compare."


def test_run_table_tells_bytes_shares_and_target(run):
    """Every figure a user asks for is in the table, in units."""
    path, summary = run
    text = text_of(run_table(summary))
    for word in ("paper's bits", "payload", "wire, a round", "bottleneck", "kbit", "kB", "%"):
        assert word in text
    assert "reached in round 8" in text
    assert path.name in text
    assert "not reached" in text_of(run_table(finished("gd", None, 1)))


def test_run_table_warns_where_the_ends_disagree(run):
    """Bytes counted differently are never passed over in silence."""
    _, summary = run
    assert "different bytes" not in text_of(run_table(summary))
    assert "different bytes" in text_of(run_table(summary | {"consistent": False}))


def test_late_links_make_a_run_invalid():
    """The summary says so, and the table in plain words; links in time are told in a line."""
    good, bad = Lag(), Lag()
    good.note(0.001, 1.0)
    bad.note(0.5, 1.0)
    arguments = {"algorithm": "gd", "stopped_by": "rounds", "consistent": True}
    for lag in (good, bad):
        summary = summarise(Ledger(1, 2), Overhead(), lag=lag, **arguments)
        assert lag.valid == summary["emulation"]["valid"]
        text = text_of(run_table(summary))
        assert lag.valid != ("could not keep up" in text)
        assert "late" in text
    assert "late" not in text_of(run_table(summarise(Ledger(1, 2), Overhead(), **arguments)))


def test_an_invalid_run_is_marked_where_runs_are_ranked():
    """A winner whose links were late is named with a warning."""
    late, good = finished("late", 1.0, 10), finished("good", 2.0, 20)
    assert "*" not in text_of(comparison_table([late, good]))
    late = late | {"emulation": late["emulation"] | {"valid": False}}
    text = text_of(comparison_table([late, good]), width=80)
    assert re.search(r"1\* late", text)
    assert re.search(r"2 +good", text)
    assert "* invalid: this machine could not keep up" in text
    assert "Not to be relied on" in winners([late, good])
    assert "Not to be relied on" not in winners([good])


def test_labels_with_brackets_are_printed_as_they_are(run):
    """A name is data, not rich markup."""
    _, summary = run
    odd = summary | {"label": "ef[bold]21"}
    assert "ef[bold]21" in text_of(run_table(odd))
    assert "ef[bold]21" in text_of(comparison_table([odd]))


def progress_lines(records, **kwargs):
    console = Console(file=io.StringIO(), width=60, force_terminal=False)
    with Progress(console=console, **kwargs) as progress:
        for record in records:
            progress.update(record)
        progress.close()
    return console.file.getvalue().splitlines()


def test_plain_lines_follow_the_records_own_clock():
    """30 rounds of 0.1 s at one line a second: first, then each second, then last."""
    lines = progress_lines(make_records(), rounds=30, every_seconds=0.95)
    rounds = [line.split()[1] for line in lines]
    assert rounds == ["0/30", "10/30", "20/30", "30/30"]


def test_plain_lines_stay_few_on_a_virtual_clock():
    """Hours a round do not mean a line a round."""
    records = [RoundRecord(number, 3600.0 * number) for number in range(1001)]
    assert len(progress_lines(records, rounds=1000)) == 21


def test_progress_line_has_the_last_probe_and_both_ways():
    """One line, whatever the console's width: round, f, ‖∇f‖², bytes, rates."""
    records = make_records()
    up = sum(record.up().wire_bytes for record in records)
    last = progress_lines(records, rounds=30, target=0.01)[-1]
    for word in ("round 30/30", "time 3.00 s", "f 9.313e-10", "(target 0.01)", "bit/s)"):
        assert word in last
    assert f"up {up / 1000:.1f} kB" in last


def test_live_panel_in_a_terminal():
    """In a terminal the panel ends on the last round and close is idempotent."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    progress = Progress(rounds=30, console=console)
    for record in make_records():
        progress.update(record)
    progress.close()
    progress.close()
    assert "30/30" in console.file.getvalue()


def test_nothing_recorded_prints_nothing():
    """A run that never started leaves no line."""
    assert progress_lines([]) == []
