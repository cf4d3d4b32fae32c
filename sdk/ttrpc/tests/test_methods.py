from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_ttrpc import methods, peers


class Text:
    """Stands in for a protobuf class."""

    def __init__(self, text: str) -> None:
        self.text = text

    @staticmethod
    def FromString(data: bytes) -> Text:  # protobuf's name
        return Text(data.decode())

    def SerializeToString(self) -> bytes:
        return self.text.encode()


@dataclass
class Described:
    request: Any = Text
    response: Any = Text
    client_streaming: bool = False
    server_streaming: bool = False


def test_bind_takes_classes_from_the_description() -> None:
    async def handler(request: Any, call: methods.Call) -> Any:
        return request

    bound = methods.bind({"Echo": Described(server_streaming=True), "Other": Described()}, {"Echo": handler})
    assert set(bound) == {"Echo"}
    assert bound["Echo"].decode(b"a").text == "a"
    assert bound["Echo"].encode(Text("b")) == b"b"
    assert bound["Echo"].server_streaming and not bound["Echo"].unary


def test_a_misspelt_handler_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match='"Ecko"'):
        methods.bind({"Echo": Described()}, {"Ecko": lambda request, call: request})


def test_metadata_keys_have_no_case() -> None:
    call = methods.Call("s", "m", peers.Peer(1, 2, 3), (("Key", "first"), ("key", "second")))
    assert call.value("kEY") == "first"
    assert call.value("none") == ""
