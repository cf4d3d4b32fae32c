import pytest
from google.protobuf.any_pb2 import Any

from moorage_api.messages import events
from moorage_client import payloads
from moorage_sdk import errors
from moorage_sdk.events import Payload


def test_a_message_travels_under_its_bare_name() -> None:
    payload = payloads.of(events.TaskStart(container_id="c", pid=7))
    assert payload.type_url == "containerd.events.TaskStart"
    assert payloads.decode(payload) == events.TaskStart(container_id="c", pid=7)


def test_googles_prefix_is_dropped_and_slashes_of_the_name_are_kept() -> None:
    assert payloads.from_any(Any(type_url="type.googleapis.com/a.B", value=b"x")) == Payload("a.B", b"x")
    spec = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
    assert payloads.from_any(Any(type_url=spec)) == Payload(spec, b"")


def test_nothing_is_nothing() -> None:
    assert payloads.from_any(Any()) is None
    assert payloads.to_any(None) is None


def test_there_and_back() -> None:
    assert payloads.from_any(payloads.to_any(Payload("a.B", b"x")) or Any()) == Payload("a.B", b"x")


def test_unknown_types() -> None:
    with pytest.raises(errors.NotFound):
        payloads.decode(Payload("no.Such", b""))
