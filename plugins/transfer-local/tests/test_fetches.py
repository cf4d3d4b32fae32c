"""Fetches: one blob. What registries do wrong is in test_pulls; here is what the store says meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from moorage_sdk import digests, errors, labels
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.registries import Exchange, Proxy
from moorage_transfer_local import hosts, references
from moorage_transfer_local.fetches import Fetcher, source_labels
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import Repository, Settings
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Timeouts

DATA = bytes(range(256)) * 8
LAYER = Descriptor(OCI_LAYER_GZIP, digests.of(DATA), len(DATA))
REF = f"layer-{LAYER.digest}"
POLICY = Policy(attempts=3, base=0.001, longest=0.01)


@pytest.fixture
def server() -> Iterator[Proxy]:
    def blob(exchange: Exchange) -> None:
        start = int(exchange.request.header("Range").removeprefix("bytes=").rstrip("-") or 0)
        extent = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if start else {}
        exchange.answer(206 if start else 200, extent, DATA[start:])

    with Proxy() as running:
        running.on("GET", "/blobs/", blob)
        yield running


@pytest.fixture
def fetcher(server: Proxy) -> Iterator[Fetcher]:
    reference = references.parse(f"{server.address}/a/b:v1")
    stop = Stop()
    settings = Settings(Timeouts(5, 5), POLICY)
    repository = Repository(reference, hosts.endpoints(reference.host), lambda host, realm: None, settings, stop)
    tracker = Tracker("image", lambda line: None)
    yield Fetcher(repository, MemoryStore(), "default", tracker, Flights(), Places(3), POLICY, stop)
    repository.close()


def test_a_blob_comes_with_its_source(fetcher: Fetcher) -> None:
    fetcher.blob(LAYER)
    assert fetcher.content.info(LAYER.digest).labels == {"containerd.io/distribution.source.127.0.0.1": "a/b"}


def test_an_ingest_is_resumed(fetcher: Fetcher, server: Proxy) -> None:
    with fetcher.content.writer(REF, size=LAYER.size) as writer:
        writer.write(DATA[:1000])
    fetcher.blob(LAYER)
    [request] = server.requests
    assert request.header("Range") == "bytes=1000-"


def test_a_whole_ingest_needs_no_download(fetcher: Fetcher, server: Proxy) -> None:
    """As when another namespace has the blob and shares it."""
    with fetcher.content.writer(REF, size=LAYER.size) as writer:
        writer.write(DATA)
    fetcher.blob(LAYER)
    assert server.requests == []


@pytest.mark.parametrize("rubbish", [b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1)])
def test_a_wrong_ingest_is_begun_anew(fetcher: Fetcher, rubbish: bytes) -> None:
    with fetcher.content.writer(REF, size=LAYER.size) as writer:
        writer.write(rubbish)
    fetcher.blob(LAYER)
    assert fetcher.content.info(LAYER.digest).size == len(DATA)


def test_an_ingest_of_another_size_is_thrown_away(fetcher: Fetcher) -> None:
    fetcher.content.writer(REF, size=7).close()
    fetcher.blob(LAYER)
    assert fetcher.content.statuses() == []


def test_an_ingest_that_another_client_writes_is_waited_for(fetcher: Fetcher) -> None:
    other = fetcher.content.writer(REF, size=LAYER.size)
    threading.Timer(0.2, other.close).start()
    fetcher.blob(LAYER)
    assert fetcher.content.info(LAYER.digest)


def test_waiting_for_it_ends_with_the_pull(fetcher: Fetcher) -> None:
    with fetcher.content.writer(REF, size=LAYER.size):
        threading.Timer(0.1, fetcher.stop.stop).start()
        with pytest.raises(errors.Cancelled):
            fetcher.blob(LAYER)


def test_attempts_without_progress_are_counted(fetcher: Fetcher, server: Proxy) -> None:
    server.on("GET", "/blobs/", lambda exchange: (exchange.answer(200, {}, DATA), exchange.cut(0)))
    with pytest.raises(errors.Unavailable):
        fetcher.blob(LAYER)
    assert server.count("GET", "/blobs/") == POLICY.attempts


def test_a_document_is_bounded_and_labelled(fetcher: Fetcher, server: Proxy) -> None:
    config = Descriptor(OCI_CONFIG, LAYER.digest, LAYER.size)
    assert fetcher.document(config, len(DATA), lambda data: {"size": str(len(data))}) == DATA
    assert fetcher.content.info(LAYER.digest).labels["size"] == str(len(DATA))
    with pytest.raises(errors.ResourceExhausted, match="larger than the limit"):
        fetcher.document(config, len(DATA) - 1)


def test_labels_of_a_blob_that_is_there_are_kept(fetcher: Fetcher) -> None:
    with fetcher.content.writer("x") as writer:
        writer.write(DATA)
        writer.commit(labels={"own": "1", "containerd.io/distribution.source.127.0.0.1": "z/z"})
    fetcher.blob(LAYER)
    assert fetcher.content.info(LAYER.digest).labels == {
        "own": "1",
        "containerd.io/distribution.source.127.0.0.1": "a/b,z/z",
    }


def test_a_source_label_that_would_be_too_long_is_left() -> None:
    reference = references.parse("a.io:5000/b/c")
    key = f"{labels.DISTRIBUTION_SOURCE}.a.io"
    assert source_labels(reference, {}) == {key: "b/c"}
    assert source_labels(reference, {key: "b/c,d"}) == {key: "b/c,d"}
    assert source_labels(reference, {key: "x" * 4090}) == {}


def test_infos_that_need_no_change_are_not_written(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    fetcher.blob(LAYER)

    def refuse(info: Info, paths: object = ()) -> Info:
        raise AssertionError("written")

    monkeypatch.setattr(fetcher.content, "update", refuse)
    fetcher.blob(LAYER)
