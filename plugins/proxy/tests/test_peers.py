import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import content, version
from moorage_proxy import peers
from moorage_proxy.peers import Peer, Peers
from moorage_proxy.scopes import Scope
from moorage_sdk import callers, errors
from moorage_sdk.callers import Caller
from moorage_testkit import daemons

CONTENT = "containerd.services.content.v1.Content"
VERSION = "containerd.services.version.v1.Version"


def answering(text: str = "1") -> dict[str, dict[str, Callable[..., Any]]]:
    async def answer(request: Any, context: Any) -> Any:
        return version.VersionResponse(version=text)

    return {VERSION: {"Version": answer}}


def ask(peer: Peer, namespace: str = "") -> str:
    answer: str = peer.call(VERSION, "Version", Empty(), Scope(namespace)).version
    return answer


def test_the_namespace_goes_along(serve: Callable[..., Any], connect: Callable[[str], Peer]) -> None:
    served = serve(answering())
    peer = connect(served.address)
    assert ask(peer, "web") == "1"
    assert served.headers["Version"]["containerd-namespace"] == "web"
    ask(peer)
    assert served.headers["Version"]["containerd-namespace"] == "default"


@pytest.mark.parametrize("kind", [errors.NotFound, errors.AlreadyExists, errors.Unimplemented, errors.Error])
def test_errors_of_the_peer_keep_their_class_and_words(
    kind: type[errors.Error], serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    async def refuse(request: Any, context: Any) -> Any:
        raise kind('thing "x": so it is')

    peer = connect(serve({VERSION: {"Version": refuse}}).address)
    with pytest.raises(kind, match=r'^thing "x": so it is$') as caught:
        ask(peer)
    assert type(caught.value) is kind


def test_a_peer_that_is_busy_is_not_taken_for_one_that_is_away(
    serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    async def refuse(request: Any, context: Any) -> Any:
        raise errors.Unavailable('ref "x" locked: unavailable')

    peer = connect(serve({VERSION: {"Version": refuse}}).address)
    with pytest.raises(errors.Unavailable) as caught:
        ask(peer)
    assert str(caught.value) == 'ref "x" locked: unavailable'


def test_without_a_socket_calls_fail_at_once(connect: Callable[[str], Peer], tmp_path: Any) -> None:
    peer = connect(f"{tmp_path}/none.sock")
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(errors.Unavailable, match=f'proxied plugin at "{tmp_path}/none.sock"'):
            ask(peer)
    assert time.monotonic() - began < daemons.START


def test_a_peer_that_comes_back_is_used_again(serve: Callable[..., Any], connect: Callable[[str], Peer]) -> None:
    served = serve(answering())
    peer = connect(served.address)
    assert ask(peer) == "1"
    served.stop()
    with pytest.raises(errors.Unavailable):
        ask(peer)
    served.services = answering("2")
    served.start()

    def back() -> bool:
        try:
            return ask(peer) == "2"
        except errors.Unavailable:
            return False

    daemons.wait_until(back)


def test_a_peer_that_listens_again_is_used_by_the_next_call(
    serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    served = serve(answering())
    served.stop()
    peer = connect(served.address)
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            ask(peer)
    served.start()
    assert ask(peer) == "1"


def test_a_peer_that_goes_away_ends_the_calls_that_wait_for_it(
    serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    reached = threading.Event()

    async def hang(request: Any, context: Any) -> Any:
        reached.set()
        await asyncio.sleep(600)

    served = serve({VERSION: {"Version": hang}})
    peer = connect(served.address)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            ask(peer)
        except errors.Error as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert reached.wait(30)
    served.stop()
    waiting.join(30)
    assert [type(error) for error in ended] == [errors.Unavailable]


def test_the_peer_is_told_that_the_caller_has_gone(serve: Callable[..., Any], connect: Callable[[str], Peer]) -> None:
    reached, gone = threading.Event(), threading.Event()

    async def hang(request: Any, context: Any) -> Any:
        reached.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            gone.set()
            raise

    peer, caller = connect(serve({VERSION: {"Version": hang}}).address), Caller()
    context = contextvars.copy_context()
    context.run(callers.CURRENT.set, caller)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(context.run, ask, peer)
        assert reached.wait(30)
        caller.leave()
        assert isinstance(asking.exception(30), errors.Cancelled)
    assert gone.wait(30)


def test_the_callers_deadline_is_the_peers(serve: Callable[..., Any], connect: Callable[[str], Peer]) -> None:
    told: list[float] = []

    async def answer(request: Any, context: Any) -> Any:
        told.append(context.time_remaining())
        await asyncio.sleep(600)

    peer = connect(serve({VERSION: {"Version": answer}}).address)
    context = contextvars.copy_context()
    context.run(callers.CURRENT.set, Caller(time.monotonic() + 2))
    with pytest.raises(errors.DeadlineExceeded):
        context.run(ask, peer)
    assert 0 < told[0] <= 3


def test_a_closed_peer_takes_no_calls(serve: Callable[..., Any]) -> None:
    peer = Peer(serve(answering()).address)
    ask(peer)
    peer.close()
    peer.close()
    with pytest.raises(errors.Unavailable, match="closed"):
        ask(peer)


def test_an_address_has_one_peer_until_its_last_user_goes(serve: Callable[..., Any]) -> None:
    address = serve(answering()).address
    known = Peers()
    first, second = known.open(address), known.open(f"unix://{address}")
    assert first is second
    known.close(first)
    assert ask(second) == "1"
    known.close(second)
    with pytest.raises(errors.Unavailable):
        ask(second)
    again = known.open(address)
    assert ask(again) == "1"
    known.close(again)


def test_spellings_of_sockets() -> None:
    assert peers.target("/run/x.sock") == "unix:///run/x.sock"
    assert peers.target("@moorage") == "unix-abstract:moorage"


def test_a_list_that_nobody_waits_for_is_given_up(serve: Callable[..., Any], connect: Callable[[str], Peer]) -> None:
    reached = threading.Event()

    async def hang(request: Any, context: Any) -> None:
        reached.set()
        await asyncio.sleep(600)

    peer = connect(serve({CONTENT: {"List": hang}}).address)
    caller, context = Caller(), contextvars.copy_context()
    context.run(callers.CURRENT.set, caller)
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(context.run, list, peer.receive(CONTENT, "List", content.ListContentRequest()))
        assert reached.wait(30)
        caller.leave()
        assert isinstance(listing.exception(30), errors.Cancelled)
