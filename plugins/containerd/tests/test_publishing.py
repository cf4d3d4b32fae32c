import io
import sys
from types import SimpleNamespace

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from moorage_containerd import publishing
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.verbs import Command


def typed(*words: str, data: bytes = b"", monkeypatch: pytest.MonkeyPatch, address: str = "/moorage/no/such") -> int:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    return publishing.publish(Command(words, "mooraged", address))


def test_the_payload_is_an_any() -> None:
    message = AnyMessage(type_url="containerd.events.TaskOOM", value=b"\x0a\x01c")
    assert publishing.payload(message.SerializeToString()) == Payload("containerd.events.TaskOOM", b"\x0a\x01c")
    assert publishing.payload(b"") == Payload("", b"")


def test_other_bytes_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"standard input: no google\.protobuf\.Any"):
        publishing.payload(b"\x0a\xff")


def test_a_topic_is_needed_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.InvalidArgument, match="topic required to publish event"):
        typed("--namespace", "x", data=b"\xff", monkeypatch=monkeypatch)


def test_nobody_who_listens_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.Unavailable, match="/moorage/no/such"):
        typed("--topic", "/x", "--namespace", "x", monkeypatch=monkeypatch)


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        typed("--help", monkeypatch=monkeypatch)
    assert caught.value.code == 0
    assert "mooraged publish" in capsys.readouterr().out
