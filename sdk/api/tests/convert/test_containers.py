from moorage_api.convert import containers
from moorage_api.messages import containers as messages
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload

WEB = Container(
    id="web",
    runtime=Runtime("io.containerd.runc.v2", Payload("containerd.runc.v1.Options", b"\x08\x01")),
    spec=Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b"{}"),
    image="docker.io/library/busybox:latest",
    snapshotter="overlayfs",
    snapshot_key="web",
    sandbox="pod",
    labels={"a": "b"},
    extensions={"x": Payload("t", b"v")},
    created_at=1_700_000_000_000_000_001,
    updated_at=1_700_000_000_000_000_002,
)


def test_there_and_back_over_the_wire() -> None:
    sent = containers.to_message(WEB).SerializeToString()
    assert containers.from_message(messages.Container.FromString(sent)) == WEB


def test_what_is_not_there_stays_absent() -> None:
    message = containers.to_message(Container("web", Runtime("r")))
    assert not message.HasField("spec") and not message.runtime.HasField("options")
    assert containers.from_message(message) == Container("web", Runtime("r"))
