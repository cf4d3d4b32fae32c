from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_kv.snapshots import Record, Records
from moorage_sdk import errors
from moorage_sdk.snapshots import Info, Kind, Usage


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(tmp_path, [])
    yield opened
    opened.close()


def create(records: Records, key: str, parent: str = "", kind: Kind = Kind.ACTIVE) -> Record:
    with records.reserve() as number:
        return records.create(number, kind, key, parent)


def committed(records: Records, name: str, parent: str = "") -> Record:
    create(records, f"key of {name}", parent)
    return records.commit(name, f"key of {name}", Usage(4096, 1))


def test_lineage_is_newest_first(records: Records) -> None:
    committed(records, "a")
    committed(records, "b", "a")
    create(records, "c", "b")
    assert [record.info.name for record in records.lineage("c")] == ["c", "b", "a"]
    assert [record.number for record in records.lineage("c")] == [3, 2, 1]
    assert records.get("b").usage == Usage(4096, 1)


def test_commit_drops_the_labels_of_the_active_one(records: Records) -> None:
    with records.reserve() as number:
        records.create(number, Kind.ACTIVE, "key", "", {"a": "1", "empty": ""})
    assert dict(records.get("key").info.labels) == {"a": "1"}
    records.commit("name", "key", Usage(), {"b": "2"})
    assert dict(records.get("name").info.labels) == {"b": "2"}
    with pytest.raises(errors.NotFound):
        records.get("key")


def test_parents_must_be_committed(records: Records) -> None:
    create(records, "active")
    with pytest.raises(errors.InvalidArgument, match="not committed"):
        create(records, "child", "active")
    with pytest.raises(errors.NotFound, match='missing parent "nobody"'):
        create(records, "child", "nobody")
    with pytest.raises(errors.AlreadyExists):
        create(records, "active")
    with pytest.raises(errors.InvalidArgument, match="empty"):
        create(records, "")


def test_commit_is_for_active_ones_and_new_names(records: Records) -> None:
    committed(records, "a")
    create(records, "view", "a", Kind.VIEW)
    create(records, "active")
    with pytest.raises(errors.FailedPrecondition, match="not active"):
        records.commit("x", "view", Usage())
    with pytest.raises(errors.FailedPrecondition, match="not active"):
        records.commit("x", "a", Usage())
    with pytest.raises(errors.AlreadyExists):
        records.commit("view", "active", Usage())
    with pytest.raises(errors.NotFound):
        records.commit("x", "nobody", Usage())


def test_rebase_gives_a_parent_to_what_has_none(records: Records) -> None:
    committed(records, "a")
    committed(records, "b")
    create(records, "free")
    create(records, "bound", "a")
    with pytest.raises(errors.InvalidArgument, match="cannot change parent"):
        records.commit("x", "bound", Usage(), parent="b")
    with pytest.raises(errors.NotFound):
        records.commit("x", "free", Usage(), parent="nobody")
    with pytest.raises(errors.FailedPrecondition):
        records.commit("x", "free", Usage(), parent="bound")
    records.commit("x", "free", Usage(), parent="a")
    records.commit("y", "bound", Usage(), parent="a")
    assert records.get("x").info.parent == "a"
    records.remove("y")
    with pytest.raises(errors.FailedPrecondition, match="with child"):
        records.remove("a")


def test_remove_wants_no_children(records: Records) -> None:
    committed(records, "a")
    create(records, "child", "a")
    with pytest.raises(errors.FailedPrecondition, match="with child"):
        records.remove("a")
    records.remove("child")
    records.remove("a")
    with pytest.raises(errors.NotFound):
        records.remove("a")
    assert records.walk() == []


def test_update_touches_labels_only(records: Records) -> None:
    before = committed(records, "a").info
    after = records.update(Info(Kind.VIEW, "a", labels={"k": "v"}), ["labels.k"]).info
    assert (after.kind, after.created_at, dict(after.labels)) == (Kind.COMMITTED, before.created_at, {"k": "v"})
    assert after.updated_at >= before.updated_at
    with pytest.raises(errors.InvalidArgument, match='"parent"'):
        records.update(Info(Kind.VIEW, "a"), ["parent"])


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    records = Records.open(tmp_path, [])
    create(records, "a")
    create(records, "b")
    records.remove("b")
    records.close()
    again = Records.open(tmp_path, ["1", "7", "new-8", "٣"])
    assert create(again, "c").number == 8
    again.remove("c")
    again.close()
    third = Records.open(tmp_path, [])
    assert create(third, "d").number == 9
    third.close()


def test_leftovers_are_neither_recorded_nor_being_made(records: Records) -> None:
    create(records, "a")
    with records.reserve() as number:
        assert number == 2
        assert records.leftovers(["1", "2", "3", "new-4"]) == ["3", "new-4"]
    assert records.leftovers(["1", "2"]) == ["2"]


def test_failed_creation_records_nothing(records: Records) -> None:
    with pytest.raises(errors.InvalidArgument, match="label"), records.reserve() as number:
        records.create(number, Kind.ACTIVE, "key", "", {"k": "x" * 5000})
    assert records.walk() == []


def test_keys_of_any_kind(records: Records) -> None:
    keys = ["ns/1/" + "k" * 5000, "extract-1 sha256:x", "ü", "a\x00b"]
    for key in keys:
        create(records, key)
    assert [record.info.name for record in records.walk()] == sorted(keys)
