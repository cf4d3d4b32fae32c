"""Looking into events (api/events/*_fieldpath.pb.go in containerd v2.3)."""

import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message

from moorage_api import definitions, fieldpaths, filters
from moorage_api.convert import typeurls
from moorage_api.messages import events, images, types
from moorage_sdk.events import Envelope, Payload


def sent(event: Message, topic: str = "/t", namespace: str = "n") -> types.Envelope:
    return types.Envelope(topic=topic, namespace=namespace, event=typeurls.pack(event))


def selects(text: str, envelope: types.Envelope | Envelope) -> bool:
    return filters.parse([text]).match(fieldpaths.envelope(envelope))


@pytest.mark.parametrize(
    ("event", "path", "found"),
    [
        (events.TaskExit(container_id="c"), "container_id", ("c", True)),
        (events.TaskExit(), "container_id", ("", False)),
        (events.TaskExit(pid=7), "pid", ("", False)),
        (events.TaskExit(exit_status=7), "exit_status", ("", False)),
        (events.TaskExit(), "nothing", ("", False)),
        (events.TaskCreate(io=events.TaskIO(stdin="/f")), "io.stdin", ("/f", True)),
        (events.TaskCreate(io=events.TaskIO()), "io.terminal", ("false", True)),
        (events.TaskCreate(io=events.TaskIO(terminal=True)), "io.terminal", ("true", True)),
        (events.TaskCreate(), "io.terminal", ("", False)),
        (events.TaskCreate(io=events.TaskIO()), "io", ("", False)),
        (events.TaskCreate(rootfs=[types.Mount(type="bind")]), "rootfs.type", ("", False)),
        (events.ContainerCreate(runtime=events.ContainerCreate.Runtime(name="r")), "runtime.name", ("r", True)),
        (events.ContainerUpdate(labels={"a.b": "c"}), "labels.a.b", ("c", True)),
        (events.ContainerUpdate(labels={"a": ""}), "labels.a", ("", True)),
        (images.ImageCreate(name="i"), "name", ("i", True)),
        (events.SandboxExit(sandbox_id="s"), "sandbox_id", ("", False)),
        (types.Mount(type="bind"), "type", ("", False)),
    ],
)
def test_fields_of_payloads(event: Message, path: str, found: tuple[str, bool]) -> None:
    assert fieldpaths.field(event, path.split(".")) == found


def test_an_any_inside_a_payload_is_entered_when_it_holds_an_event() -> None:
    event = events.ContainerCreate()
    event.runtime.options.CopyFrom(typeurls.pack(events.TaskOOM(container_id="c")))
    assert fieldpaths.field(event, ["runtime", "options", "container_id"]) == ("c", True)
    event.runtime.options.type_url = "no.such.Type"
    assert fieldpaths.field(event, ["runtime", "options", "container_id"]) == ("", False)


def test_a_path_may_end_early() -> None:
    assert fieldpaths.field(events.TaskOOM(container_id="c"), []) == ("", False)


def test_envelopes_are_filtered_by_topic_namespace_and_event() -> None:
    envelope = sent(events.TaskOOM(container_id="c"), topic="/tasks/oom", namespace="k8s.io")
    assert selects('topic=="/tasks/oom",namespace==k8s.io,event.container_id==c', envelope)
    assert not selects("event.container_id==d", envelope)
    assert not selects("timestamp", envelope)


def test_values_are_filtered_as_messages_are() -> None:
    payload = Payload("containerd.events.TaskOOM", events.TaskOOM(container_id="c").SerializeToString())
    assert selects("event.container_id==c,namespace==n", Envelope(1, "n", "/t", payload))


@pytest.mark.parametrize(
    "broken",
    [
        any_pb2.Any(),
        any_pb2.Any(type_url="no.such.Type", value=b"x"),
        any_pb2.Any(type_url="containerd.events.TaskExit", value=b"\xff"),
        any_pb2.Any(type_url=typeurls.SPEC, value=b"{}"),
    ],
)
def test_a_payload_that_cannot_be_read_has_no_fields(broken: any_pb2.Any) -> None:
    envelope = types.Envelope(topic="/t", event=broken)
    assert not selects("event.container_id", envelope)
    assert selects("event.container_id!=c", envelope)


def test_the_payload_is_decoded_only_when_a_filter_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    unpack = typeurls.unpack
    monkeypatch.setattr(typeurls, "unpack", lambda packed: calls.append(packed) or unpack(packed))
    envelope = sent(events.TaskExit(container_id="c", id="e"))
    assert selects("topic", envelope)
    assert not calls
    assert selects("event.container_id==c,event.id==e", envelope)
    assert len(calls) == 1


def test_exactly_the_files_with_the_option_are_looked_into() -> None:
    # The option as it stands on the wire: field 63300, a varint, true.
    option = b"\xa0\xf4\x1e\x01"
    marked = {name for name, file in definitions.files().items() if option in file.options.SerializeToString()}
    assert marked == {name for name in definitions.files() if fieldpaths._marked(definitions.load(name))}
    assert len(marked) == 6
