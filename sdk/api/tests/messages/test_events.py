"""Payloads of events on the wire."""

from moorage_api.messages import events


def test_an_exit_on_the_wire() -> None:
    event = events.TaskExit(container_id="c", id="e", pid=7, exit_status=137)
    assert event.SerializeToString() == b"\x0a\x01c\x12\x01e\x18\x07\x20\x89\x01"


def test_snapshot_events_skip_two_numbers() -> None:
    assert events.SnapshotRemove(key="k", snapshotter="s").SerializeToString() == b"\x0a\x01k\x2a\x01s"


def test_all_kinds_are_in_the_package_containerd_events() -> None:
    assert {getattr(events, name).DESCRIPTOR.file.package for name in dir(events)} == {"containerd.events"}
