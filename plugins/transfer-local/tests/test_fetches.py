"""Fetches: one blob and what the store says, whole pulls and what comes broken or wrong."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_sdk import digests, errors, labels, platforms, references
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.transfers import Pull, Unpack
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.images import File, Layout, layer, layered, push
from moorage_testkit.registries import Exchange, Proxy, Registry
from moorage_transfer_local import hosts
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import Repository
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.sources import source_labels
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Timeouts

HOST = Unpack(platforms.host())
BLOBS = r"/blobs/sha256"
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
    reference = references.full(f"{server.address}/a/b:v1")
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


def test_an_ingest_of_another_size_that_somebody_takes_meanwhile_is_waited_for(
    fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our learning of its size and our throwing it away another client may have begun to write."""
    real, taken = fetcher.content.abort, []

    def abort(ref: str) -> None:
        if not taken:
            taken.append(ref)
            raise errors.Unavailable(f'ref "{ref}" locked')
        real(ref)

    fetcher.content.writer(REF, size=7).close()
    monkeypatch.setattr(fetcher.content, "abort", abort)
    fetcher.blob(LAYER)
    assert taken == [REF] and fetcher.content.statuses() == []


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
    reference = references.full("a.io:5000/b/c")
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


def wanted(address: str, name: str = "layered", **more: object) -> Pull:
    return Pull(f"{address}/test/{name}:latest", unpacks=(HOST,), **more)  # type: ignore[arg-type]


class TestABrokenConnection:
    def test_is_resumed_where_it_broke(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        ranges = [request.header("Range") for request in proxy.seen("GET", BLOBS)]
        assert "bytes=1000-" in ranges
        world.assert_layered()

    def test_continues_in_the_next_pull(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None)
        with pytest.raises(errors.Unavailable):
            world.pull(wanted(proxy.address, "big"))
        world.assert_nothing_named()
        assert [status for status in world.content.statuses() if status.offset]
        proxy.on("GET", BLOBS, lambda exchange: None)
        world.pull(wanted(proxy.address, "big"))
        world.assert_layered()
        assert world.content.statuses() == []

    def test_is_survived_though_the_server_ignores_ranges(self, world, proxy: Proxy, layout: Layout) -> None:
        def whole(exchange: Exchange) -> None:
            if exchange.status == 206:
                blob = layout.file(exchange.request.target.rpartition("/")[2]).read_bytes()
                exchange.answer(200, body=blob)

        proxy.on("GET", BLOBS, whole)
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        world.assert_layered()

    def test_is_not_continued_with_another_range(self, world, proxy: Proxy) -> None:
        def shifted(exchange: Exchange) -> None:
            if exchange.status == 206:
                exchange.set("Content-Range", f"bytes 0-{len(exchange.body) - 1}/{len(exchange.body)}")

        proxy.on("GET", BLOBS, shifted)
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        with pytest.raises(errors.Unavailable, match="another range"):
            world.pull(wanted(proxy.address, "big"))
        world.assert_nothing_named()

    def test_many_times_is_enough_if_it_always_gets_on(self, worlds, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        layout.tag("latest", layered(layout, payload=3 << 20))
        push(layout, "latest", f"{registry.address}/test/huge:latest")
        with Proxy(registry.address) as proxy:
            cut = (1 << 20) + 1000
            proxy.on("GET", BLOBS, lambda exchange: exchange.cut(cut) if len(exchange.body) > cut else None)
            world = worlds(settings=Settings(Timeouts(5, 20), Policy(attempts=2, base=0.01)))
            world.pull(wanted(proxy.address, "huge"))
        world.assert_layered()


class TestWrongBytes:
    def test_are_fetched_again_once(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.corrupt(5000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        world.assert_layered()

    def test_are_never_a_blob(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.corrupt(5000) if len(exchange.body) > 9000 else None)
        with pytest.raises(errors.DataLoss, match=r"sha256:.*registry sent other bytes"):
            world.pull(wanted(proxy.address, "big"))
        world.assert_nothing_named()
        assert all(digests.of(data) == digest for digest, data in world.content.blobs.items())
        assert not [status for status in world.content.statuses() if status.offset == status.total]

    @pytest.mark.parametrize("more", [-100, 100])
    def test_are_seen_by_their_number(self, world, proxy: Proxy, more: int) -> None:
        def resized(exchange: Exchange) -> None:
            if len(exchange.body) > 9000 and exchange.status == 200:
                exchange.replace(exchange.body[:more] if more < 0 else exchange.body + b"x" * more)

        proxy.on("GET", BLOBS, resized)
        with pytest.raises(errors.DataLoss):
            world.pull(wanted(proxy.address, "big"))
        world.assert_nothing_named()

    @pytest.mark.parametrize("nonsense", ["-1", "many"])
    def test_with_a_senseless_length_are_right_all_the_same(self, worlds, proxy: Proxy, nonsense: str) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, lambda exchange: exchange.set("Content-Length", nonsense))
        world.pull(wanted(proxy.address))
        world.assert_layered()

    @pytest.mark.parametrize("lie", ["10", "999999"])
    def test_announced_wrongly_are_no_blob(self, worlds, proxy: Proxy, lie: str) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, lambda exchange: exchange.set("Content-Length", lie))
        with pytest.raises((errors.DataLoss, errors.Unavailable)):
            world.pull(wanted(proxy.address, "big"))
        world.assert_nothing_named()

    def test_of_a_manifest_are_refused(self, world, proxy: Proxy) -> None:
        proxy.on("GET", "/manifests/", Exchange.corrupt, 20)
        with pytest.raises(errors.DataLoss):
            world.pull(wanted(proxy.address))

    def test_that_do_not_unpack_to_their_diff_id_are_refused(self, world, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        data = layer([File("a", b"1")])
        layout.tag("latest", layout.image([data, data], diff_ids=[digests.of(data), digests.of(b"other")]))
        push(layout, "latest", f"{registry.address}/test/lying:latest")
        with pytest.raises(errors.DataLoss, match="diff id"):
            world.pull(wanted(registry.address, "lying"))
        world.assert_nothing_named()
        assert len(world.snapshots.infos) == 1  # the first layer is good

    def test_with_too_few_diff_ids_are_refused(self, world, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        data = layer([File("a", b"1")])
        layout.tag("latest", layout.image([data, data], diff_ids=[digests.of(data)]))
        push(layout, "latest", f"{registry.address}/test/short:latest")
        with pytest.raises(errors.InvalidArgument, match="1 diff ids for 2 layers"):
            world.pull(wanted(registry.address, "short"))

    def test_of_the_same_layer_many_times_are_fetched_once(self, world, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        layout.tag("latest", layout.image([layer([File("a", b"1")])] * 20))
        push(layout, "latest", f"{registry.address}/test/same:latest")
        with Proxy(registry.address) as proxy:
            world.pull(wanted(proxy.address, "same"))
            assert proxy.count("GET", BLOBS) == 2
        assert len(world.snapshots.infos) == 20
