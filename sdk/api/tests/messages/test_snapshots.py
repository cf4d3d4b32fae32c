"""Snapshots on the wire."""

from moorage_api.messages import snapshots


def test_a_commit_on_the_wire() -> None:
    request = snapshots.CommitSnapshotRequest(snapshotter="s", name="n", key="k", parent="p")
    assert request.SerializeToString() == b"\x0a\x01s\x12\x01n\x1a\x01k\x2a\x01p"


def test_kinds_have_containerds_numbers() -> None:
    assert (snapshots.UNKNOWN, snapshots.VIEW, snapshots.ACTIVE, snapshots.COMMITTED) == (0, 1, 2, 3)
