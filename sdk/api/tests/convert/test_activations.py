"""Activations as values and messages."""

from moorage_api.convert import activations
from moorage_api.messages import types
from moorage_sdk.activations import Activation, ActiveMount
from moorage_sdk.mounts import Mount

LOOP = ActiveMount(Mount("loop", "/disk", ("ro",)), "/run/t/1/0", 1_500_000_000, {"k": "v"})
VALUE = Activation("web", (LOOP,), (Mount("ext4", "/run/t/1/0"),), {"a": "b"})


def test_both_ways() -> None:
    message = activations.to_message(VALUE)
    assert (message.name, dict(message.labels)) == ("web", {"a": "b"})
    assert message.active[0].mounted_at.seconds == 1
    assert message.active[0].mounted_at.nanos == 500_000_000
    assert message.active[0].mount == types.Mount(type="loop", source="/disk", options=["ro"])
    assert dict(message.active[0].data) == {"k": "v"}
    assert message.system[0].type == "ext4"
    assert activations.from_message(message) == VALUE


def test_a_time_that_nobody_knows_is_left_out() -> None:
    value = Activation("web", (ActiveMount(Mount("bind", "/a"), "/b"),))
    message = activations.to_message(value)
    assert not message.active[0].HasField("mounted_at")
    assert activations.from_message(message) == value
