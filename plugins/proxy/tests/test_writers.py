import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import Scope
from moorage_proxy.stores import ProxyStore
from moorage_proxy.writers import SERVICE
from moorage_sdk import callers, digests, errors


class Script:
    """A peer that takes everything: ``told`` are the messages that it got. ``takes`` limits what it writes of each."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.takes = 1 << 30
        self.ends_after = 1 << 30

    async def write(self, requests: AsyncIterator[Any], context: Any) -> None:
        offset = 0
        async for request in requests:
            self.told.append(request)
            if len(self.told) > self.ends_after:
                return
            offset += min(len(request.data), self.takes)
            await context.write(content.WriteContentResponse(action=request.action, offset=offset, digest="sha256:x"))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def store(script: Script, serve: Callable[..., Any], connect: Callable[[str], Peer]) -> ProxyStore:
    return ProxyStore(connect(serve({SERVICE: {"Write": script.write}}).address), Scope("web"))


def test_the_stream_says_what_is_meant(store: ProxyStore, script: Script) -> None:
    with store.writer("ref", size=3) as writer:
        writer.write(b"abc")
        assert writer.commit(3, labels={"a": "b"}) == "sha256:x"
    assert script.told == [
        content.WriteContentRequest(action=content.STAT, ref="ref", total=3),
        content.WriteContentRequest(action=content.WRITE, data=b"abc"),
        content.WriteContentRequest(action=content.COMMIT, offset=3, total=3, labels={"a": "b"}),
    ]


def test_a_peer_that_takes_less_than_it_was_sent_is_found_out(store: ProxyStore, script: Script) -> None:
    script.takes = 2
    with store.writer("ref") as writer, pytest.raises(errors.DataLoss):
        writer.write(b"abc")


def test_a_peer_that_ends_the_stream_is_found_out(store: ProxyStore, script: Script) -> None:
    script.ends_after = 1
    with store.writer("ref") as writer, pytest.raises(errors.Unavailable, match="ended the stream"):
        writer.write(b"abc")


def test_another_digest_than_expected_is_found_out(store: ProxyStore) -> None:
    with store.writer("ref") as writer:
        with pytest.raises(errors.DataLoss):
            writer.commit(expected=digests.of(b"abc"))


def test_a_closed_writer_takes_nothing(store: ProxyStore) -> None:
    writer = store.writer("ref")
    writer.close()
    writer.close()
    with pytest.raises(errors.FailedPrecondition):
        writer.write(b"abc")


def test_the_reference_is_free_when_close_returns(peer: Peer, namespace: str) -> None:
    store = ProxyStore(peer, Scope(namespace))
    for _ in range(20):
        with store.writer("ref") as writer:
            writer.write(b"a")
    assert store.status("ref").offset == 20


def test_a_writer_whose_client_has_gone_waits_for_no_peer(
    serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    reached = threading.Event()

    async def hang(requests: AsyncIterator[Any], context: Any) -> None:
        async for _ in requests:
            reached.set()
            await asyncio.sleep(600)

    store, caller = ProxyStore(connect(serve({SERVICE: {"Write": hang}}).address)), callers.Caller()
    context = contextvars.copy_context()
    context.run(callers.CURRENT.set, caller)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(context.run, store.writer, "ref")
        assert reached.wait(30)
        caller.leave()
        assert isinstance(opening.exception(30), errors.Cancelled)
