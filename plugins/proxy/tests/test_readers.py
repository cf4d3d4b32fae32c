from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.readers import SERVICE, ProxyReader
from moorage_sdk import errors

DATA = bytes(range(200))


class Script:
    """Sends ``DATA`` in pieces of 30 bytes and counts the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []
        self.short = 0

    async def read(self, request: Any, context: Any) -> None:
        self.calls.append((request.offset, request.size))
        end = request.offset + request.size - self.short
        for start in range(request.offset, end, 30):
            await context.write(content.ReadContentResponse(offset=start, data=DATA[start : min(start + 30, end)]))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def peer(script: Script, serve: Callable[..., Any], connect: Callable[[str], Peer]) -> Peer:
    return connect(serve({SERVICE: {"Read": script.read}}).address)


def test_reading_from_front_to_back_is_one_call(peer: Peer, script: Script) -> None:
    with ProxyReader(peer, "d", len(DATA)) as reader:
        assert b"".join(reader.read_at(start, 7) for start in range(0, len(DATA), 7)) == DATA
        assert reader.read_at(len(DATA), 1) == b""
    assert script.calls == [(0, len(DATA))]


def test_reading_elsewhere_is_a_call_of_its_own(peer: Peer, script: Script) -> None:
    with ProxyReader(peer, "d", len(DATA)) as reader:
        assert reader.read_at(100, 50) == DATA[100:150]
        assert reader.read_at(0, 10) == DATA[:10]
        assert reader.read_at(10, 500) == DATA[10:]
    assert script.calls == [(0, len(DATA)), (100, 50)]


def test_a_blob_that_is_shorter_than_it_should_be_is_no_blob(peer: Peer, script: Script) -> None:
    script.short = 5
    with ProxyReader(peer, "d", len(DATA)) as reader:
        with pytest.raises(errors.DataLoss):
            reader.read_at(0, len(DATA))
        with pytest.raises(errors.DataLoss):
            reader.read_at(10, 20)


def test_an_empty_blob_asks_nobody(peer: Peer, script: Script) -> None:
    with ProxyReader(peer, "d", 0) as reader:
        assert reader.read_at(0, 10) == b""
    assert script.calls == []


def test_closing_twice_and_in_the_middle(peer: Peer) -> None:
    reader = ProxyReader(peer, "d", len(DATA))
    assert reader.read_at(0, 3) == DATA[:3]
    reader.close()
    reader.close()
