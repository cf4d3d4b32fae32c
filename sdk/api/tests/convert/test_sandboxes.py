from google.protobuf.any_pb2 import Any

from moorage_api.convert import sandboxes, timestamps
from moorage_api.messages import sandboxes as controllers
from moorage_api.messages import shim_sandbox, types
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.sandboxes import Metric, Sandbox, Status

POD = Sandbox(
    "pod",
    Runtime("io.containerd.kata.v2", Payload("o", b"1")),
    Payload("s", b"{}"),
    "shim",
    {"l": "v"},
    {"e": Payload("t", b"x")},
    1,
    2,
)


def test_every_field_comes_back() -> None:
    message = sandboxes.to_message(POD)
    assert {field.name for field, _ in message.ListFields()} == set(types.Sandbox.DESCRIPTOR.fields_by_name)
    assert sandboxes.from_message(types.Sandbox.FromString(message.SerializeToString())) == POD


def test_what_is_not_there_stays_absent() -> None:
    bare = Sandbox("pod", Runtime(""))
    message = sandboxes.to_message(bare)
    assert message.HasField("runtime")
    assert not message.HasField("spec") and not message.runtime.HasField("options")
    assert sandboxes.from_message(message) == bare
    assert sandboxes.from_message(types.Sandbox()) == Sandbox("", Runtime(""))


def test_controllers_and_shims_tell_the_same_way() -> None:
    told = {
        "sandbox_id": "pod",
        "pid": 7,
        "state": "SANDBOX_READY",
        "info": {"k": "v"},
        "created_at": timestamps.to_message(5),
        "exited_at": timestamps.to_message(0),
        "extra": Any(type_url="t", value=b"x"),
    }
    wanted = Status("pod", 7, "SANDBOX_READY", {"k": "v"}, 5, 0, Payload("t", b"x"))
    assert sandboxes.status_from_message(controllers.ControllerStatusResponse(**told)) == wanted
    assert sandboxes.status_from_message(shim_sandbox.SandboxStatusResponse(**told)) == wanted
    assert sandboxes.status_from_message(shim_sandbox.SandboxStatusResponse()) == Status("")


def test_metrics() -> None:
    metric = Metric("pod", 9, Payload("m", b"1"))
    assert sandboxes.metric_from_message(sandboxes.metric_to_message(metric)) == metric
    assert not sandboxes.metric_to_message(Metric("pod", 9)).HasField("data")
