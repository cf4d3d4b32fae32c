from typing import Any

import pytest

from moorage_metadata_lmdb import changes, nodes, rows
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.rows import Snapshot
from moorage_sdk import errors
from moorage_sdk.leases import Lease


def put(rig: Any, *snapshots: tuple[str, str]) -> None:
    def write(change: Change) -> None:
        for name, parent in snapshots:
            change.put(rows.SNAPSHOTS, ("ns", "o", name), Snapshot(name, f"ns/1/{name}", parent))

    rig.database._ledger.change(write)


def test_index_entries_follow_their_rows(rig: Any) -> None:
    ledger = rig.database._ledger
    put(rig, ("a", ""), ("b", "a"))
    with ledger.read() as reading:
        assert reading.known("child", "ns", "o", "a")
        assert list(reading.index("snapshot", "o")) == [("snapshot", "o", "ns/1/a"), ("snapshot", "o", "ns/1/b")]
    put(rig, ("b", "other"))
    with ledger.read() as reading:
        assert not reading.known("child", "ns", "o", "a")
        assert reading.known("child", "ns", "o", "other", "b")
    ledger.change(lambda change: change.delete(rows.SNAPSHOTS, "ns", "o", "b"))
    with ledger.read() as reading:
        assert list(reading.index("child")) == []
        assert [parts for parts, _ in reading.scan(rows.SNAPSHOTS, "ns")] == [("ns", "o", "a")]


def test_names_that_begin_alike_are_kept_apart(rig: Any) -> None:
    put(rig, ("a", ""), ("ab", ""), ("b", "ab"))
    with rig.database._ledger.read() as reading:
        assert not reading.known("child", "ns", "o", "a")
        assert not reading.known("snapshot", "o", "ns/1")
        assert reading.any(rows.SNAPSHOTS, "ns", "o")
        assert not reading.any(rows.SNAPSHOTS, "n")
        assert changes.require(reading, ("ns", "o"), "a").backend == "ns/1/a"
        with pytest.raises(errors.NotFound, match="parent snapshot x does not exist: not found"):
            changes.require(reading, ("ns", "o"), "x", "parent snapshot")


def test_a_change_that_fails_leaves_nothing(rig: Any) -> None:
    def fail(change: Change) -> None:
        change.put(rows.SNAPSHOTS, ("ns", "o", "a"), Snapshot("a", "ns/1/a"))
        raise errors.InvalidArgument("no")

    with pytest.raises(errors.InvalidArgument):
        rig.database._ledger.change(fail)
    with rig.database._ledger.read() as reading:
        assert not reading.any(rows.SNAPSHOTS)
        assert not reading.known("snapshot")


def test_holding_needs_the_lease(rig: Any) -> None:
    ledger, node = rig.database._ledger, nodes.snapshot("ns", "o", "a")
    held = ledger.change(lambda change: change.hold(Scope("ns"), "snapshots/o", "a", node))
    assert held is False
    with pytest.raises(errors.NotFound, match=r"^lease does not exist: not found$"):
        ledger.change(lambda change: change.hold(Scope("ns", "l"), "snapshots/o", "a", node))
    ledger.change(lambda change: change.put(rows.LEASES, ("ns", "l"), Lease("l")))
    assert ledger.change(lambda change: change.hold(Scope("ns", "l"), "snapshots/o", "a", node)) is True
    ledger.change(lambda change: change.release(Scope("ns", "l"), "snapshots/o", "a"))
    with ledger.read() as reading:
        assert not reading.any(rows.HOLDINGS)


def test_deleting_what_is_not_there_deletes_nothing(rig: Any) -> None:
    def delete(change: Change) -> list[Any]:
        assert change.delete(rows.SNAPSHOTS, "ns", "o", "none") is None
        return change.deleted

    assert rig.database._ledger.change(delete) == []
