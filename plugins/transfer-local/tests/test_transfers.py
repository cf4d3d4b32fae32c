"""Transfers: pulls from a real registry, through a proxy that misbehaves where the test says so."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage_sdk import errors, labels, platforms
from moorage_sdk.transfers import ExtraName, Pull, Unpack
from moorage_testkit.fakes.content import MemoryWriter
from moorage_testkit.images import File, Layout, layer, push
from moorage_testkit.registries import Exchange, Proxy, Registry
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transports import Timeouts

HOST = Unpack(platforms.host())
BLOBS = r"/blobs/sha256"


def wanted(address: str, name: str = "layered", **more: object) -> Pull:
    return Pull(f"{address}/test/{name}:latest", unpacks=(HOST,), **more)  # type: ignore[arg-type]


class TestAnImage:
    def test_is_fetched_unpacked_and_named(self, world, registry: Registry, layout: Layout) -> None:
        image = world.pull(wanted(registry.address, labels={"a": "b"}))
        assert image.target.digest == layout.tags["layered"].digest
        assert world.view.images.get(image.name).labels == {"a": "b"}
        world.assert_layered()
        assert world.view.leases.list() == []

    def test_gets_further_names_that_live_as_long_as_it(self, world, registry: Registry) -> None:
        extra = (
            ExtraName("also"),
            ExtraName("a.io/b", is_prefix=True, add_digest=True),
            ExtraName("p", is_prefix=True),
        )
        image = world.pull(wanted(registry.address, labels={"a": "b"}, extra_names=extra))
        saved = [line.name for line in world.lines if line.event == "saved"]
        assert saved == [image.name, "also", f"a.io/b@{image.target.digest}"]
        also = world.view.images.get("also")
        assert also.target == image.target
        assert also.labels["containerd.io/gc.bref.image"] == image.name
        assert (also.labels["a"], "containerd.io/gc.expire" in also.labels) == ("b", True)

    def test_streams_its_first_layer_to_the_unpacker(self, world, registry: Registry) -> None:
        world.pull(wanted(registry.address))
        assert world.differ.streamed >= 1
        assert world.differ.streamed + world.differ.applied == 4

    def test_labels_keep_all_its_parts_alive(self, world, registry: Registry, layout: Layout) -> None:
        world.pull(wanted(registry.address))
        target = layout.tags["layered"]
        manifest = json.loads(layout.read(target))
        config, layers = manifest["config"]["digest"], [item["digest"] for item in manifest["layers"]]
        kept = world.content.info(target.digest).labels
        assert kept[f"{labels.GC_REF_CONTENT}.config"] == config
        assert [kept[f"{labels.GC_REF_CONTENT}.l.{n}"] for n in range(4)] == layers
        [top] = world.tops()
        assert world.content.info(config).labels[f"{labels.GC_REF_SNAPSHOT}overlayfs"] == top
        diff_ids = json.loads(layout.file(config).read_bytes())["rootfs"]["diff_ids"]
        assert [world.content.info(name).labels[labels.UNCOMPRESSED] for name in layers] == diff_ids
        for name in (target.digest, config, *layers):
            assert world.content.info(name).labels["containerd.io/distribution.source.127.0.0.1"] == "test/layered"

    def test_that_is_there_is_not_fetched_again(self, world, proxy: Proxy) -> None:
        world.pull(wanted(proxy.address))
        before = proxy.count("GET", ".")
        world.pull(wanted(proxy.address))
        assert proxy.count("GET", ".") == before
        assert [line.event for line in world.lines if line.event == "already exists"]

    def test_with_snapshots_but_without_layers_fetches_no_layers(self, world, proxy: Proxy) -> None:
        world.pull(wanted(proxy.address))
        for name in list(world.content.blobs):
            world.content.delete(name)
        before = proxy.count("GET", BLOBS)
        world.pull(wanted(proxy.address))
        assert proxy.count("GET", BLOBS) - before == 1  # the configuration

    def test_of_an_index_is_the_one_for_the_platform(self, world, registry: Registry, layout: Layout) -> None:
        arm = platforms.parse("linux/arm64")
        image = world.pull(Pull(f"{registry.address}/test/multi:latest", platforms=(arm,), unpacks=(Unpack(arm),)))
        assert image.target == layout.tags["multi"]
        [folder] = world.snapshots.folders.values()
        assert (folder / "platform").read_text() == "linux/arm64"
        assert len(world.content.blobs) == 4  # index, manifest, configuration, layer

    def test_of_an_index_can_be_all(self, world, registry: Registry) -> None:
        world.pull(Pull(f"{registry.address}/test/multi:latest"))
        assert len(world.content.blobs) == 10

    def test_of_an_index_can_bring_the_metadata_of_the_others(self, world, registry: Registry) -> None:
        pull = Pull(
            f"{registry.address}/test/multi:latest", platforms=(platforms.parse("linux/arm64"),), all_metadata=True
        )
        world.pull(pull)
        assert len(world.content.blobs) == 8  # without the layers of two platforms

    def test_of_an_index_without_the_platform_is_not_found(self, world, registry: Registry) -> None:
        with pytest.raises(errors.NotFound, match="no match for platform linux/s390x"):
            world.pull(Pull(f"{registry.address}/test/multi:latest", platforms=(platforms.parse("linux/s390x"),)))
        world.assert_nothing_named()

    def test_can_be_pulled_by_digest(self, world, registry: Registry, layout: Layout) -> None:
        digest = layout.tags["layered"].digest
        image = world.pull(Pull(f"{registry.address}/test/layered@{digest}", unpacks=(HOST,)))
        assert image.target.digest == digest
        world.assert_layered()

    def test_unknown_is_not_found(self, world, registry: Registry) -> None:
        with pytest.raises(errors.NotFound, match="test/absent"):
            world.pull(wanted(registry.address, "absent"))
        world.assert_nothing_named()

    def test_at_a_silent_address_is_unavailable(self, world) -> None:
        with pytest.raises(errors.Unavailable, match="Connection refused"):
            world.pull(wanted("127.0.0.1:9"))

    def test_moved_tag_updates_the_name(self, world, registry: Registry, layout: Layout) -> None:
        push(layout, "layered", f"{registry.address}/test/moving:latest")
        world.pull(wanted(registry.address, "moving"))
        push(layout, "multi", f"{registry.address}/test/moving:latest")
        image = world.pull(Pull(f"{registry.address}/test/moving:latest"))
        assert image.target.digest == layout.tags["multi"].digest
        assert len(world.view.images.list()) == 1

    def test_is_unpacked_in_parallel_where_snapshots_can_rebase(self, worlds, registry: Registry) -> None:
        world = worlds(unpacks=3, rebases=lambda name: True)
        world.pull(wanted(registry.address, "big"))
        world.assert_layered()
        assert len(world.snapshots.infos) == 4

    def test_shows_its_progress(self, world, registry: Registry, layout: Layout) -> None:
        world.pull(wanted(registry.address))
        events = [line.event for line in world.lines]
        assert events[0].startswith("Resolving from")
        assert events[-2].startswith("Completed pull from")
        assert events[-1] == "saved"
        target = layout.tags["layered"]
        lines = {line.name: line for line in world.lines if line.event == "waiting"}
        root = lines[f"manifest-{target.digest}"]
        assert root.parents == (f"{registry.address}/test/layered:latest",)
        layers = [line for name, line in lines.items() if name.startswith("layer-")]
        assert {line.parents for line in layers} == {(root.name,)}
        extracted = {line.name for line in world.lines if line.event == "extracted"}
        assert extracted == {line.name for line in layers}

    def test_tells_of_what_it_fetches_and_of_nothing_else(self, world, registry: Registry, layout: Layout) -> None:
        reference = f"{registry.address}/test/multi:latest"
        world.pull(Pull(reference, platforms=(platforms.parse("linux/arm64"),), all_metadata=True))
        last = {line.name: line.event for line in world.lines if line.descriptor and line.parents}
        assert set(last.values()) == {"complete"}
        assert len([name for name in last if name.startswith("layer-")]) == 1
        assert len([name for name in last if name.startswith("config-")]) == 3


class TestAClientsLease:
    def test_is_used_and_left(self, world, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []
        monkeypatch.setattr(type(world.view), "lease", "the-clients", raising=False)
        monkeypatch.setattr(world.metadata, "view", lambda namespace, lease="": asked.append(lease) or world.view)
        world.view.leases.create("the-clients")
        world.pull(wanted(registry.address))
        assert asked == []
        assert [lease.id for lease in world.view.leases.list()] == ["the-clients"]

    def test_is_made_and_ended_otherwise(self, worlds, registry: Registry) -> None:
        world = worlds()
        seen: list[list[str]] = []
        world.differ.written = lambda data: seen.append([lease.labels for lease in world.view.leases.list()])
        world.pull(wanted(registry.address))
        assert all(len(labels) == 1 and "containerd.io/gc.expire" in labels[0] for labels in seen)
        assert seen
        assert world.view.leases.list() == []


class TestPullsAtTheSameTime:
    @pytest.mark.parametrize(
        "options", [{}, {"unpacks": 2, "rebases": lambda name: True}], ids=["in-order", "parallel"]
    )
    def test_share_downloads_and_unpacking(self, worlds, proxy: Proxy, options: dict[str, object]) -> None:
        world = worlds(**options)
        with ThreadPoolExecutor(12) as pool:
            images = list(pool.map(lambda _: world.pull(wanted(proxy.address, "big")), range(12)))
        assert len({image.target.digest for image in images}) == 1
        assert proxy.count("GET", BLOBS) == 5
        assert proxy.count("GET", "/manifests/") == 1
        assert world.differ.streamed + world.differ.applied == 4
        world.assert_layered()

    def test_of_images_with_common_layers_do_not_wait_in_a_circle(
        self, worlds, registry: Registry, tmp_path: Path
    ) -> None:
        layout = Layout(tmp_path / "layout")
        tars = [layer([File(f"f{n}", b"x" * 9000)]) for n in range(6)]
        stacks = [tars, tars[:3], [*tars[:2], *tars[3:]], tars[::-1], [tars[0]] * 4]
        for n, stack in enumerate(stacks):
            layout.tag(f"{n}", layout.image(stack))
            push(layout, f"{n}", f"{registry.address}/test/circle{n}:latest")
        world = worlds(unpacks=2, downloads=2, rebases=lambda name: True)
        with ThreadPoolExecutor(15) as pool:
            pulls = [pool.submit(world.pull, wanted(registry.address, f"circle{n % 5}")) for n in range(15)]
            assert len({pull.result(60).target.digest for pull in pulls}) == 5

    def test_do_not_die_with_the_first(self, world, proxy: Proxy, release: threading.Event) -> None:
        proxy.on(
            "GET", BLOBS, lambda exchange: exchange.stall(100, release) if len(exchange.body) > 9000 else None, times=2
        )
        gone = threading.Event()
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(world.pull, wanted(proxy.address, "big", cancelled=gone.is_set))
            until(lambda: proxy.count("GET", BLOBS) >= 3)
            second = pool.submit(world.pull, wanted(proxy.address, "big"))
            gone.set()
            with pytest.raises(errors.Cancelled):
                first.result(20)
            second.result(20)
        world.assert_layered()


class TestACancelledPull:
    @pytest.mark.parametrize("stalled", ["/manifests/", BLOBS])
    def test_ends_at_once_though_the_server_is_silent(
        self, world, proxy: Proxy, release: threading.Event, stalled: str
    ) -> None:
        proxy.on("GET", stalled, Exchange.stall, 10, release)
        gone = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            pulling = pool.submit(world.pull, wanted(proxy.address, cancelled=gone.is_set))
            until(lambda: proxy.count("GET", stalled) > 0)
            gone.set()
            with pytest.raises(errors.Cancelled):
                pulling.result(10)
        world.assert_nothing_named()

    def test_ends_while_it_waits_for_retry_after(self, worlds, proxy: Proxy) -> None:
        world = worlds(settings=Settings(Timeouts(), Policy()))
        proxy.on("GET", "/manifests/", Exchange.answer, 503, {"Retry-After": "3600"})
        gone = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            pulling = pool.submit(world.pull, wanted(proxy.address, cancelled=gone.is_set))
            until(lambda: proxy.count("GET", "/manifests/") > 0)
            gone.set()
            with pytest.raises(errors.Cancelled):
                pulling.result(10)


class TestAFullDisk:
    def test_ends_the_pull_and_loses_nothing(self, world, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        written = MemoryWriter.write

        def full(self: MemoryWriter, data: bytes | bytearray | memoryview) -> int:
            if self.status().offset + len(data) > 100_000:
                raise errors.ResourceExhausted("ingest: no space left on device: resource exhausted")
            return written(self, data)

        with monkeypatch.context() as patched:
            patched.setattr(MemoryWriter, "write", full)
            with pytest.raises(errors.ResourceExhausted, match="no space left"):
                world.pull(wanted(registry.address, "big"))
        world.assert_nothing_named()
        world.pull(wanted(registry.address, "big"))
        world.assert_layered()

    def test_of_the_unpacker_stops_it(self, world, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(data: bytes) -> None:
            raise errors.ResourceExhausted("unpack: no space left on device: resource exhausted")

        monkeypatch.setattr(world.differ, "written", full)
        with pytest.raises(errors.ResourceExhausted, match="no space left"):
            world.pull(wanted(registry.address, "big"))
        world.assert_nothing_named()
        assert all(application.closed for application in world.differ.applications)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_gzip_of_layers_is_as_expected(layout: Layout) -> None:
    """The images of these tests are big enough for the faults above: more than 9000 bytes in every layer of ``big``."""
    manifest = json.loads(layout.read(layout.tags["big"]))
    assert all(item["size"] > 9000 for item in manifest["layers"])
    assert all(gzip.decompress(layout.file(item["digest"]).read_bytes()) for item in manifest["layers"])
