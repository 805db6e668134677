"""A small made-up run, with a ledger and a folder."""

import random

import pytest

from netcomp.results.events import Overhead, RoundRecord, Times, Traffic, WorkerRound
from netcomp.results.ledger import Ledger
from netcomp.results.store import RunStore
from netcomp.results.summary import Target, summarise

WORKERS = 4
ROUNDS = 30
TARGET = Target("grad_norm_sq", 1e-2)


def make_records(rounds=ROUNDS, workers=WORKERS, seed=0, decay=0.5):
    """Round 0 probed without workers, then every round with a random half of them."""
    rng = random.Random(seed)  # noqa: S311 - example data
    records = [RoundRecord(0, 0.0, (), 1.0, 1.0)]
    for number in range(1, rounds + 1):
        chosen = sorted(rng.sample(range(workers), workers // 2 + number % 2))
        parts = tuple(
            WorkerRound(
                worker,
                Traffic(8.0 * rng.randrange(99), rng.randrange(99), rng.randrange(99, 999)),
                Traffic(8.0 * rng.randrange(99), rng.randrange(99), rng.randrange(99, 999)),
                Times(*(rng.random() for _ in range(5))),
            )
            for worker in chosen
        )
        value = decay**number if number % 2 == 0 else None
        records.append(RoundRecord(number, 0.1 * number, parts, value, value))
    return records


def make_run(base, name="marina", workers=WORKERS, **kwargs):
    """Record a run; returns (run folder, summary)."""
    ledger = Ledger(workers, dim=7)
    with RunStore.create(base, name) as store:
        for record in make_records(workers=workers, **kwargs):
            ledger.add(record)
            store.append(record)
            if record.grad_norm_sq is not None and record.grad_norm_sq <= TARGET.value:
                ledger.mark_reached(TARGET.name)
        summary = summarise(
            ledger,
            Overhead(1, 2, 3, 4, 5, 6),
            algorithm=name,
            stopped_by="rounds",
            consistent=True,
            problem="quadratic",
            network="10 Mbit/s up",
            target=TARGET,
            run_dir=store.path,
        )
        store.write_summary(summary)
    return store.path, summary


@pytest.fixture
def records():
    return make_records()


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path)
