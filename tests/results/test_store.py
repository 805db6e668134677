"""A run folder gives back what went in, also after a kill or a full disk."""

import errno
import json
import math
import socket
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcomp.errors import DataError
from netcomp.results.events import RoundRecord, Traffic
from netcomp.results.jsonable import dumps, jsonable, loads
from netcomp.results.readers import WORKER_HEADER
from netcomp.results.store import (
    WORKER_RECORD,
    RunStore,
    read_rounds,
    read_summary,
    read_workers,
    round_row,
    worker_rows,
)

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class FullDisk:
    """A file that takes `room` bytes, then fails like a full disk."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(bytes(data[: self._room]))
        self._room -= taken
        return taken

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_folders_are_never_reused(tmp_path):
    """The same name in the same second makes -2, -3, …"""
    names = []
    for _ in range(3):
        with RunStore.create(tmp_path / "runs", "ef21", now=NOW) as store:
            names.append(store.path.name)
    assert names == ["20300102-030405-ef21", "20300102-030405-ef21-2", "20300102-030405-ef21-3"]


@pytest.mark.parametrize("name", ["../../etc", "a b/c", "", "..", "x" * 500])
def test_a_name_stays_inside_its_base(tmp_path, name):
    """No name, however odd, leaves the base folder."""
    with RunStore.create(tmp_path, name, now=NOW) as store:
        assert tmp_path == store.path.parent


def test_a_base_that_cannot_be_is_a_data_error(tmp_path):
    """A file in the folder's place is told, not a traceback."""
    (tmp_path / "runs").write_text("")
    with pytest.raises(DataError, match="runs"):
        RunStore.create(tmp_path / "runs", "x")


def test_rows_round_trip_while_the_run_goes_on(tmp_path, records):
    """Each appended round can be read at once, before any close."""
    with RunStore.create(tmp_path, "x") as store:
        for count, record in enumerate(records, start=1):
            store.append(record)
            assert count == len(read_rounds(store.path))
        assert [round_row(record) for record in records] == read_rounds(store.path)
        expected = np.concatenate([worker_rows(record) for record in records])
        assert expected.tolist() == read_workers(store.path).tolist()


def test_totals_of_the_files_equal_each_other(run):
    """summary.json == sum of rounds.jsonl == sum of workers.bin."""
    path, summary = run
    rows, parts = read_rounds(path), read_workers(path)
    for way, name in (("uplink", "up"), ("downlink", "down")):
        assert summary[way] == Traffic.total(Traffic(**row[name]) for row in rows).as_dict()
        for count, total in summary[way].items():
            assert total == parts[f"{name}_{count}"].sum()


def test_loss_keys_only_where_probed_and_never_nan(tmp_path):
    """An unprobed row has no loss key; a diverged one has null."""
    with RunStore.create(tmp_path, "x") as store:
        store.append(RoundRecord(0, 0.0, (), math.inf, math.nan))
        store.append(RoundRecord(1, 1.0))
    first, second = read_rounds(store.path)
    assert (first["loss"], first["grad_norm_sq"]) == (None, None)
    assert not {"loss", "grad_norm_sq"} & set(second)


@pytest.mark.parametrize("cut", [1, 10, 95])
def test_a_killed_runs_tail_is_dropped(run, cut):
    """A row or record cut short at the end vanishes; all before it stay."""
    path, _ = run
    rows, parts = read_rounds(path), read_workers(path)
    for name in ("rounds.jsonl", "workers.bin"):
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[:-cut])
    assert rows[:-1] == read_rounds(path)
    assert parts[:-1].tolist() == read_workers(path).tolist()


@given(cut=st.integers(0, 10**6))
def test_a_file_cut_anywhere_reads_as_a_beginning(tmp_path_factory, cut):
    """Wherever a kill cuts them, the files read as the first so many rows."""
    path = tmp_path_factory.mktemp("cut")
    lines = [json.dumps(round_row(RoundRecord(k, float(k)))) + "\n" for k in range(3)]
    data = "".join(lines).encode()
    (path / "rounds.jsonl").write_bytes(data[: cut % (len(data) + 1)])
    assert list(range(len(read_rounds(path)))) == [row["round"] for row in read_rounds(path)]
    records = np.zeros(3, WORKER_RECORD)
    data = WORKER_HEADER + records.tobytes()
    kept = cut % (len(data) + 1)
    (path / "workers.bin").write_bytes(data[:kept])
    assert max(0, kept - len(WORKER_HEADER)) // WORKER_RECORD.itemsize == len(read_workers(path))


@pytest.mark.parametrize("damage", [b"{", b"", b"[]", b"{}", b'{"round": NaN}', b"\xff"])
def test_other_damage_names_its_line(run, damage):
    """A bad row inside the file is a DataError with its line."""
    path, _ = run
    lines = (path / "rounds.jsonl").read_bytes().split(b"\n")
    lines[2] = damage
    (path / "rounds.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_rounds(path)
    assert caught.value.line == 3


@pytest.mark.parametrize("key", ["up", "down", "times"])
def test_a_row_without_its_parts_is_damage(run, key):
    """A row must hold each count and each share."""
    path, _ = run
    row = read_rounds(path)[0]
    row[key].popitem()
    (path / "rounds.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=key):
        read_rounds(path)


def test_workers_of_another_format_or_order_are_refused(run):
    """Magic, version, record size and order of rounds are checked."""
    path, _ = run
    file = path / "workers.bin"
    data = file.read_bytes()
    file.write_bytes(data.replace(b" 1 96", b" 2 96", 1))
    with pytest.raises(DataError, match="does not start with"):
        read_workers(path)
    size = WORKER_RECORD.itemsize
    body = data[len(WORKER_HEADER) :]
    file.write_bytes(WORKER_HEADER + body[-size:] + body)
    with pytest.raises(DataError, match="record 2 goes back"):
        read_workers(path)


def test_missing_and_damaged_summaries_are_data_errors(tmp_path):
    """Absent, malformed or not an object: always a DataError."""
    with pytest.raises(DataError):
        read_summary(tmp_path)
    for text in ("{", "[]", '{"loss": NaN}'):
        (tmp_path / "summary.json").write_text(text)
        with pytest.raises(DataError):
            read_summary(tmp_path)


@pytest.mark.parametrize("name", ["_rounds", "_workers"])
def test_a_full_disk_warns_once_and_the_run_goes_on(tmp_path, records, name):
    """After the failing row nothing is written: both files stay whole prefixes."""
    complaints = []
    with RunStore.create(tmp_path, "x", complain=complaints.append) as store:
        setattr(store, name, FullDisk(getattr(store, name), room=1500))
        for record in records:
            store.append(record)
    assert len(complaints) == 1
    assert "No space left" in complaints[0]
    rows = read_rounds(store.path)
    assert [round_row(record) for record in records[: len(rows)]] == rows
    assert 0 < len(rows) < len(records)
    assert (store.path / "rounds.jsonl").read_bytes().endswith(b"\n")
    body = (store.path / "workers.bin").stat().st_size - len(WORKER_HEADER)
    assert body % WORKER_RECORD.itemsize == 0


def test_without_a_callback_it_is_a_warning(tmp_path):
    """A summary that cannot be written is a RuntimeWarning that names it."""
    with RunStore.create(tmp_path, "x") as store:
        (store.path / "summary.json").mkdir()
        with pytest.warns(RuntimeWarning, match=r"summary\.json"):
            store.write_summary({})
        (store.path / "model.npy").mkdir()
        with pytest.warns(RuntimeWarning, match=r"model\.npy"):
            store.write_model(np.zeros(2))
    names = {path.name for path in store.path.iterdir()}
    assert {"rounds.jsonl", "workers.bin", "summary.json", "model.npy"} == names


def test_spec_model_summary_and_environment(tmp_path):
    """What was written is read back; the environment names neither host nor path."""
    x = np.linspace(0, 1, 5)
    with RunStore.create(tmp_path, "x") as store:
        store.write_spec("seed = 1\n")
        store.write_model(x)
        store.write_summary({"loss": math.nan, "dim": np.int64(3)})
        store.write_environment()
        with pytest.raises(ValueError, match="allow_pickle"):
            store.write_model(np.array([object()]))
    assert (store.path / "spec.toml").read_text() == "seed = 1\n"
    assert x.tolist() == np.load(store.path / "model.npy", allow_pickle=False).tolist()
    assert read_summary(store.path) == {"loss": None, "dim": 3}
    text = (store.path / "environment.json").read_text()
    assert {"netcomp", "python", "numpy", "platform", "cpu_count"} <= set(loads(text))
    assert str(tmp_path) not in text
    assert socket.gethostname() not in text
    assert not list(store.path.glob("*.tmp"))


def test_a_spec_that_cannot_be_written_is_an_error(tmp_path):
    """Nothing has started yet, so the user is told at once."""
    with RunStore.create(tmp_path, "x") as store:
        (store.path / "spec.toml").mkdir()
        with pytest.raises(DataError, match=r"spec\.toml"):
            store.write_spec("")


def test_close_is_idempotent_and_later_rows_are_ignored(tmp_path):
    """Closing twice, or appending afterwards, does nothing."""
    store = RunStore.create(tmp_path, "x")
    store.close()
    store.close()
    store.append(RoundRecord(0, 0.0))
    assert read_rounds(store.path) == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(values)
def test_json_is_always_strict(value):
    """Whatever goes in, no NaN or Infinity token comes out, and it reads back."""
    assert jsonable(value) == loads(dumps(value))


def test_json_of_numpy_and_of_strangers(tmp_path):
    """Numpy and paths have a form in JSON; other objects are refused."""
    value = {"a": np.float32(0.5), "b": np.array([1.0, np.inf]), "c": tmp_path, "d": np.bool_(1)}
    assert {"a": 0.5, "b": [1.0, None], "c": str(tmp_path), "d": True} == jsonable(value)
    with pytest.raises(TypeError, match="object"):
        jsonable(object())
