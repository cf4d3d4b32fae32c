"""Messages of the tasks service on the wire."""

from moorage_api.messages import tasks, types


def test_a_creation_skips_number_two() -> None:
    request = tasks.CreateTaskRequest(container_id="c", rootfs=[types.Mount(type="bind")], terminal=True)
    assert request.SerializeToString() == b"\x0a\x01c\x1a\x06\x0a\x04bind\x38\x01"


def test_a_kill_on_the_wire() -> None:
    assert tasks.KillRequest(container_id="c", signal=9, all=True).SerializeToString() == b"\x0a\x01c\x18\x09\x20\x01"
