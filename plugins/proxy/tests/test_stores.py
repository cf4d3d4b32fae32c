from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import Scope
from moorage_proxy.stores import ProxyStore
from moorage_proxy.writers import SERVICE
from moorage_sdk import digests, errors
from moorage_sdk.content import Info
from moorage_sdk.namespaces import within
from moorage_testkit.daemons import Daemon
from moorage_testkit.suites.blobs import put, read

DATA = bytes(range(256)) * 40_000
"""Ten megabytes: more than one message, either way."""


def test_large_blobs_go_in_pieces(peer: Peer, namespace: str) -> None:
    store = ProxyStore(peer, Scope(namespace))
    digest = put(store, DATA)
    assert store.info(digest).size == len(DATA)
    assert read(store, digest) == DATA


def test_namespaces_are_the_peers_business(peer: Peer, namespace: str) -> None:
    store = ProxyStore(peer)
    digest = put(within(store, namespace), b"data of one")
    assert within(store, namespace).info(digest).size == 11
    with pytest.raises(errors.NotFound):
        within(store, f"{namespace}-other").info(digest)


def test_the_collectors_calls_are_made_for_the_namespace_in_the_reference(
    serve: Callable[..., Any], connect: Callable[[str], Peer]
) -> None:
    async def status(request: Any, context: Any) -> Any:
        return content.StatusResponse(status=content.Status(ref=request.ref))

    served = serve({SERVICE: {"Status": status}})
    ProxyStore(connect(served.address)).status("web/7/layer/a")
    assert served.headers["Status"]["containerd-namespace"] == "web"
    ProxyStore(connect(served.address), Scope("kept", "held", pinned=True)).status("web/7/layer/a")
    assert served.headers["Status"]["containerd-namespace"] == "kept"
    assert served.headers["Status"]["containerd-lease"] == "held"


def test_labels_travel(peer: Peer, namespace: str) -> None:
    store = ProxyStore(peer, Scope(namespace))
    digest = digests.of(b"labelled")
    with store.writer("ref") as writer:
        writer.write(b"labelled")
        writer.commit(labels={"a": "1"})
    assert store.info(digest).labels == {"a": "1"}
    assert store.update(Info(digest, labels={"b": "2"}), ("labels.b",)).labels == {"a": "1", "b": "2"}
    assert [info.labels for info in store.walk()] == [{"a": "1", "b": "2"}]


def test_a_peer_killed_between_two_writes(daemon: Daemon, peer: Peer, namespace: str) -> None:
    store = ProxyStore(peer, Scope(namespace))
    writer = store.writer("ref", size=6)
    writer.write(b"abc")
    daemon.kill()
    with pytest.raises(errors.Unavailable):
        writer.write(b"def")
    writer.close()
    with pytest.raises(errors.Unavailable):
        store.statuses()
    daemon.start()
    again = Peer(daemon.address)
    store = ProxyStore(again, Scope(namespace))
    with store.writer("ref", size=6) as writer:  # what was written is there
        offset = writer.status().offset
        assert offset in (0, 3)
        writer.write(b"abcdef"[offset:])
        assert writer.commit(6, digests.of(b"abcdef")) == digests.of(b"abcdef")
    again.close()
