"""The task API of shims, version 2, on the wire."""

from moorage_api.messages import shim_v2, task_types


def test_a_state_on_the_wire() -> None:
    state = shim_v2.StateResponse(id="c", pid=1, status=task_types.RUNNING)
    assert state.SerializeToString() == b"\x0a\x01c\x18\x01\x20\x02"


def test_the_package_tells_the_version() -> None:
    assert shim_v2.CreateTaskRequest.DESCRIPTOR.full_name == "containerd.task.v2.CreateTaskRequest"
