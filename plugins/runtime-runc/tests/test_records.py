from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from moorage_runtime_runc import records
from moorage_runtime_runc.records import Index, ProcessRecord, TaskRecord
from moorage_runtime_runc.runtimes import Settings
from moorage_sdk import errors
from moorage_sdk.tasks import Status, Stdio


def record(bundle: Path) -> TaskRecord:
    init = ProcessRecord("c", Stdio("/in", "file:///o", "/e", True), Status.RUNNING, 12, 345)
    other = ProcessRecord("e", Stdio(), Status.STOPPED, 13, 346, 137, 1_700_000_000_123_456_789, False, {"args": ["x"]})
    return TaskRecord("ns", "c", str(bundle), Settings(binary="crun", io_uid=4), init, (other,), mounted=True)


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records.write(record(tmp_path))
    assert records.read(tmp_path) == record(tmp_path)
    assert stat.S_IMODE((tmp_path / records.FILE).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [records.FILE]


def test_missing_and_broken_records(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        records.read(tmp_path)
    for text in ("", "[]", "{}", '{"init": {"id": 1}, "execs": []}', "\x00", "0", '{"init": null, "execs": []}'):
        (tmp_path / records.FILE).write_text(text)
        with pytest.raises(errors.DataLoss):
            records.read(tmp_path)


def test_an_event_that_is_no_event_is_noticed_while_reading(tmp_path: Path) -> None:
    records.write(replace(record(tmp_path), event_number=1, event="0x"))
    with pytest.raises(errors.DataLoss, match="hexadecimal"):
        records.read(tmp_path)


def test_the_index_passes_by_what_it_did_not_make(tmp_path: Path) -> None:
    index = Index(tmp_path / "tasks")
    index.add("ns", "c", tmp_path / "one")
    (tmp_path / "tasks/.nfs0001").touch()
    (tmp_path / "tasks/ns/file").touch()
    assert list(index.bundles()) == [("ns", "c", tmp_path / "one")]


def test_the_index_leads_to_bundles(tmp_path: Path) -> None:
    index = Index(tmp_path / "tasks")
    index.add("ns", "c", tmp_path / "one")
    index.add("ns", "c", tmp_path / "two")
    index.add("other", "c", tmp_path / "three")
    assert list(index.bundles()) == [("ns", "c", tmp_path / "two"), ("other", "c", tmp_path / "three")]
    index.remove("ns", "c")
    index.remove("ns", "c")
    assert list(Index(tmp_path / "tasks").bundles()) == [("other", "c", tmp_path / "three")]
    assert [each.name for each in (tmp_path / "tasks").iterdir()] == ["other"]
