"""Pulls from a real registry, through a proxy that misbehaves where the test says so."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage_sdk import digests, errors, labels, platforms
from moorage_sdk.descriptors import OCI_INDEX, Descriptor
from moorage_sdk.transfers import Credentials, Pull, Unpack
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import certificates
from moorage_testkit.fakes.content import MemoryWriter
from moorage_testkit.images import LAYERED, File, Layout, layer, layered, push
from moorage_testkit.registries import PASSWORD, USER, Exchange, Proxy, Registry, TokenServer
from moorage_transfer_local.registries import Settings
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.transports import Timeouts

HOST = Unpack(platforms.host())
BLOBS = r"/blobs/sha256"


def wanted(address: str, name: str = "layered", **more: object) -> Pull:
    return Pull(f"{address}/test/{name}:latest", unpacks=(HOST,), **more)  # type: ignore[arg-type]


def assert_layered(world) -> None:
    [top] = [info for info in world.snapshots.infos.values() if not children(world, info.name)]
    root = world.snapshots.folders[top.name]
    assert {name: (root / name).read_bytes() for name in LAYERED} == LAYERED
    assert not any((root / name).exists() for name in ("etc/gone", "srv/gone", "opt/old"))


def children(world, name: str) -> list[str]:
    return [info.name for info in world.snapshots.infos.values() if info.parent == name]


def assert_nothing_named(world) -> None:
    assert world.view.images.list() == []
    assert world.view.leases.list() == []
    assert not [name for name in world.snapshots.infos if name.startswith("extract-")]


class TestAnImage:
    def test_is_fetched_unpacked_and_named(self, world, registry: Registry, layout: Layout) -> None:
        image = world.pull(wanted(registry.address, labels={"a": "b"}))
        assert image.target.digest == layout.tags["layered"].digest
        assert world.view.images.get(image.name).labels == {"a": "b"}
        assert_layered(world)
        assert world.view.leases.list() == []

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
        [top] = [info.name for info in world.snapshots.infos.values() if not children(world, info.name)]
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
        assert_nothing_named(world)

    def test_can_be_pulled_by_digest(self, world, registry: Registry, layout: Layout) -> None:
        digest = layout.tags["layered"].digest
        image = world.pull(Pull(f"{registry.address}/test/layered@{digest}", unpacks=(HOST,)))
        assert image.target.digest == digest
        assert_layered(world)

    def test_unknown_is_not_found(self, world, registry: Registry) -> None:
        with pytest.raises(errors.NotFound, match="test/absent"):
            world.pull(wanted(registry.address, "absent"))
        assert_nothing_named(world)

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
        assert_layered(world)
        assert len(world.snapshots.infos) == 4

    def test_shows_its_progress(self, world, registry: Registry, layout: Layout) -> None:
        world.pull(wanted(registry.address))
        events = [line.event for line in world.lines]
        assert events[0].startswith("Resolving from")
        assert events[-2:][0] == "saved"
        assert events[-1].startswith("Completed pull from")
        target = layout.tags["layered"]
        lines = {line.name: line for line in world.lines if line.event == "waiting"}
        root = lines[f"manifest-{target.digest}"]
        assert root.parents == (f"{registry.address}/test/layered:latest",)
        layers = [line for name, line in lines.items() if name.startswith("layer-")]
        assert {line.parents for line in layers} == {(root.name,)}
        extracted = {line.name for line in world.lines if line.event == "extracted"}
        assert extracted == {line.name for line in layers}


class TestAnArtifact:
    """What is pulled like an image and is none."""

    def test_is_fetched_whole(self, world, proxy: Proxy, layout: Layout) -> None:
        manifest = json.loads(layout.read(layout.tags["layered"]))
        manifest["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
        serve_manifest(proxy, json.dumps(manifest).encode())
        world.pull(wanted(proxy.address))
        assert len(world.content.blobs) == 6
        assert world.snapshots.infos == {}

    def test_may_have_a_configuration_that_is_none(self, world, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        image = layout.image([layer([File("a", b"1")])])
        manifest = json.loads(layout.read(image.manifest))
        empty = layout.blob(image.config.media_type, b"{}")
        manifest["config"] |= {"digest": empty.digest, "size": empty.size}
        layout.tag("latest", layout.blob(image.manifest.media_type, json.dumps(manifest).encode()))
        push(layout, "latest", f"{registry.address}/test/artifact:latest")
        world.pull(Pull(f"{registry.address}/test/artifact:latest"))
        assert len(world.content.blobs) == 3
        with pytest.raises(errors.InvalidArgument, match="diff_ids"):
            world.pull(wanted(registry.address, "artifact"))

    def test_cannot_be_of_any_type(self, world, proxy: Proxy) -> None:
        for method in ("HEAD", "GET"):
            proxy.on(method, "/manifests/", Exchange.answer, 200, {"Content-Type": "text/html"}, b"<html>")
        with pytest.raises(errors.InvalidArgument, match='"text/html" is neither an index nor a manifest'):
            world.pull(wanted(proxy.address))


class TestAnIndex:
    @pytest.mark.parametrize(("depth", "good"), [(3, True), (20, False)])
    def test_may_hold_indexes_to_a_point(self, world, tmp_path: Path, depth: int, good: bool) -> None:
        layout = Layout(tmp_path / "layout")
        target = layout.image([layer([File("a", b"1")])]).manifest
        for _ in range(depth):
            entry = {"mediaType": target.media_type, "digest": target.digest, "size": target.size}
            target = layout.blob(OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode())
        with Proxy() as proxy:
            serve_layout(proxy, layout, target)
            if good:
                world.pull(wanted(proxy.address))
                assert len(world.snapshots.infos) == 1
            else:
                with pytest.raises(errors.InvalidArgument, match="more than 8 within each other"):
                    world.pull(wanted(proxy.address))


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
    def test_share_downloads_and_unpacking(self, world, proxy: Proxy) -> None:
        with ThreadPoolExecutor(12) as pool:
            images = list(pool.map(lambda _: world.pull(wanted(proxy.address, "big")), range(12)))
        assert len({image.target.digest for image in images}) == 1
        assert proxy.count("GET", BLOBS) == 5
        assert proxy.count("GET", "/manifests/") == 1
        assert world.differ.streamed + world.differ.applied == 4
        assert_layered(world)

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
        assert_layered(world)


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
        assert_nothing_named(world)

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


class TestABrokenConnection:
    def test_is_resumed_where_it_broke(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        ranges = [request.header("Range") for request in proxy.seen("GET", BLOBS)]
        assert "bytes=1000-" in ranges
        assert_layered(world)

    def test_continues_in_the_next_pull(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None)
        with pytest.raises(errors.Unavailable):
            world.pull(wanted(proxy.address, "big"))
        assert_nothing_named(world)
        assert [status for status in world.content.statuses() if status.offset]
        proxy.on("GET", BLOBS, lambda exchange: None)
        world.pull(wanted(proxy.address, "big"))
        assert_layered(world)
        assert world.content.statuses() == []

    def test_is_survived_though_the_server_ignores_ranges(self, world, proxy: Proxy, layout: Layout) -> None:
        def whole(exchange: Exchange) -> None:
            if exchange.status == 206:
                blob = layout.file(exchange.request.target.rpartition("/")[2]).read_bytes()
                exchange.answer(200, body=blob)

        proxy.on("GET", BLOBS, whole)
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        assert_layered(world)

    def test_is_not_continued_with_another_range(self, world, proxy: Proxy) -> None:
        def shifted(exchange: Exchange) -> None:
            if exchange.status == 206:
                exchange.set("Content-Range", f"bytes 0-{len(exchange.body) - 1}/{len(exchange.body)}")

        proxy.on("GET", BLOBS, shifted)
        proxy.on("GET", BLOBS, lambda exchange: exchange.cut(1000) if len(exchange.body) > 9000 else None, times=2)
        with pytest.raises(errors.Unavailable, match="another range"):
            world.pull(wanted(proxy.address, "big"))
        assert_nothing_named(world)

    def test_many_times_is_enough_if_it_always_gets_on(self, worlds, registry: Registry, tmp_path: Path) -> None:
        layout = Layout(tmp_path / "layout")
        layout.tag("latest", layered(layout, payload=3 << 20))
        push(layout, "latest", f"{registry.address}/test/huge:latest")
        with Proxy(registry.address) as proxy:
            cut = (1 << 20) + 1000
            proxy.on("GET", BLOBS, lambda exchange: exchange.cut(cut) if len(exchange.body) > cut else None)
            world = worlds(settings=Settings(Timeouts(5, 20), Policy(attempts=2, base=0.01)))
            world.pull(wanted(proxy.address, "huge"))
        assert_layered(world)


class TestWrongBytes:
    def test_are_fetched_again_once(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.corrupt(5000) if len(exchange.body) > 9000 else None, times=2)
        world.pull(wanted(proxy.address, "big"))
        assert_layered(world)

    def test_are_never_a_blob(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda exchange: exchange.corrupt(5000) if len(exchange.body) > 9000 else None)
        with pytest.raises(errors.DataLoss, match=r"sha256:.*registry sent other bytes"):
            world.pull(wanted(proxy.address, "big"))
        assert_nothing_named(world)
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
        assert_nothing_named(world)

    @pytest.mark.parametrize("nonsense", ["-1", "many"])
    def test_with_a_senseless_length_are_right_all_the_same(self, worlds, proxy: Proxy, nonsense: str) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, lambda exchange: exchange.set("Content-Length", nonsense))
        world.pull(wanted(proxy.address))
        assert_layered(world)

    @pytest.mark.parametrize("lie", ["10", "999999"])
    def test_announced_wrongly_are_no_blob(self, worlds, proxy: Proxy, lie: str) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, lambda exchange: exchange.set("Content-Length", lie))
        with pytest.raises((errors.DataLoss, errors.Unavailable)):
            world.pull(wanted(proxy.address, "big"))
        assert_nothing_named(world)

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
        assert_nothing_named(world)
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


class TestABusyRegistry:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    @pytest.mark.parametrize("after", ["0", "1000000000", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", None])
    def test_is_asked_again(self, world, proxy: Proxy, status: int, after: str | None) -> None:
        headers = {"Retry-After": after} if after is not None else {}
        proxy.on("GET", BLOBS, Exchange.answer, status, headers, b"<html>", times=2)
        proxy.on("HEAD", "/manifests/", Exchange.answer, status, headers, times=2)
        world.pull(wanted(proxy.address))
        assert_layered(world)

    def test_is_asked_five_times_at_most(self, world, proxy: Proxy) -> None:
        proxy.on("HEAD", "/manifests/", Exchange.answer, 503)
        with pytest.raises(errors.Unavailable, match="503"):
            world.pull(wanted(proxy.address))
        assert proxy.count("HEAD", "/manifests/") == 5

    def test_that_falls_silent_is_left(self, worlds, proxy: Proxy, release: threading.Event) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        proxy.on("GET", BLOBS, Exchange.stall, 10, release)
        began = time.monotonic()
        with pytest.raises(errors.Unavailable):
            world.pull(wanted(proxy.address))
        assert time.monotonic() - began < 15
        assert_nothing_named(world)


class TestRedirects:
    def test_lose_all_secrets_at_another_origin(self, world, proxy: Proxy, registry: Registry, tmp_path: Path) -> None:
        hosts = tmp_path / "certs.d" / proxy.address.replace(":", "_")
        hosts.with_name(hosts.name + "_").mkdir(parents=True)
        (hosts.with_name(hosts.name + "_") / "hosts.toml").write_text(
            f'server = "{proxy.url}"\n[header]\nX-Secret = "s"\n'
        )
        with Proxy(registry.address) as elsewhere:
            proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{elsewhere.url}{e.request.target}"}))
            proxy.on("HEAD", "/manifests/", challenge_basic, times=1)
            reach = Reach(
                config_path=str(tmp_path / "certs.d"),
                headers={"Cookie": "c"},
                authority=lambda *_: Credentials(USER, PASSWORD),
            )
            world.pull(wanted(proxy.address, registry=reach))
            at_home = proxy.seen("GET", BLOBS)
            abroad = elsewhere.seen("GET", BLOBS)
        assert len(at_home) == len(abroad) == 5
        assert all(r.header("Authorization") and r.header("X-Secret") == "s" and r.header("Cookie") for r in at_home)
        assert not any(r.header("Authorization") or r.header("X-Secret") or r.header("Cookie") for r in abroad)

    def test_keep_them_at_the_same_origin(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS + "[^?]*$", lambda e: e.answer(307, {"Location": f"{e.request.target}?again"}))
        proxy.on("HEAD", "/manifests/", challenge_basic, times=1)
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        assert all(request.header("Authorization") for request in proxy.seen("GET", r"\?again"))

    @pytest.mark.parametrize(
        "target", ["file:///etc/passwd", "gopher://x/", "unix:///run/x.sock", "http://[x", "http://x:99999/"]
    )
    def test_to_other_schemes_are_not_followed(self, world, proxy: Proxy, target: str) -> None:
        proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": target}))
        with pytest.raises(errors.Unavailable, match="not followed"):
            world.pull(wanted(proxy.address))

    def test_in_a_circle_end(self, world, proxy: Proxy) -> None:
        proxy.on("GET", BLOBS, lambda e: e.answer(302, {"Location": e.request.target}))
        with pytest.raises(errors.Unavailable, match="more than 10 redirects"):
            world.pull(wanted(proxy.address))

    def test_from_https_to_http_are_not_followed(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address, certificates.make(tmp_path)) as secure, Proxy(registry.address) as plain:
            secure.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{plain.url}{e.request.target}"}))
            with pytest.raises(errors.Unavailable, match="https to http"):
                world.pull(wanted(secure.address))
            assert plain.requests == []

    def test_signatures_are_in_no_error(self, world, proxy: Proxy) -> None:
        proxy.on("GET", r"\?signature", Exchange.answer, 500)
        proxy.on("GET", BLOBS + "[^?]*$", lambda e: e.answer(307, {"Location": f"{e.request.target}?signature=SECRET"}))
        with pytest.raises(errors.Unavailable) as caught:
            world.pull(wanted(proxy.address))
        assert "SECRET" not in str(caught.value)
        assert "500" in str(caught.value)


class TestTls:
    def test_on_loopback_needs_no_trusted_certificate(self, world, tmp_path: Path, layout: Layout) -> None:
        with Registry(tmp_path / "registry", certificate=certificates.make(tmp_path)) as registry:
            push(layout, "layered", f"{registry.address}/test/layered:latest")
            world.pull(wanted(registry.address))
        assert_layered(world)

    def test_of_an_unknown_authority_is_refused_where_verification_is_asked_for(self, world, tmp_path: Path) -> None:
        with Proxy("", certificates.make(tmp_path)) as proxy:
            write_hosts(tmp_path, proxy, "skip_verify = false\n")
            with pytest.raises(errors.Unavailable, match="certificate not accepted"):
                world.pull(wanted(proxy.address, registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert proxy.requests == []

    def test_of_a_configured_authority_is_accepted(self, world, registry: Registry, tmp_path: Path) -> None:
        made = certificates.make(tmp_path)
        with Proxy(registry.address, made) as proxy:
            write_hosts(tmp_path, proxy, f'ca = "{made.certificate}"\nskip_verify = false\n')
            world.pull(wanted(proxy.address, registry=Reach(config_path=str(tmp_path / "certs.d"))))
        assert_layered(world)

    def test_trust_in_one_host_is_no_trust_in_another(self, world, registry: Registry, tmp_path: Path) -> None:
        other = certificates.make(tmp_path, "other")
        with Proxy(registry.address, certificates.make(tmp_path)) as proxy, Proxy(registry.address, other) as elsewhere:
            proxy.on("GET", BLOBS, lambda e: e.answer(307, {"Location": f"{elsewhere.url}{e.request.target}"}))
            with pytest.raises(errors.Unavailable, match="certificate not accepted"):
                world.pull(wanted(proxy.address))  # loopback: not verified itself
            assert elsewhere.requests == []


class TestCredentials:
    def test_by_basic(self, world, tmp_path: Path, layout: Layout) -> None:
        asked: list[str] = []

        def authority(host: str, reference: str, realm: str) -> Credentials:
            asked.append(host)
            return Credentials(USER, PASSWORD)

        with Registry(tmp_path / "registry", htpasswd=True) as registry:
            push(layout, "layered", f"{registry.address}/test/layered:latest", credentials=f"{USER}:{PASSWORD}")
            world.pull(wanted(registry.address, registry=Reach(authority=authority)))
            assert asked == [registry.address]
            for given in (None, lambda *_: None, lambda *_: Credentials(USER, "wrong")):
                with pytest.raises(errors.Unauthenticated):
                    world.pull(wanted(registry.address, registry=Reach(authority=given)))

    def test_by_token(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, tokens = token_registry
        world = worlds()
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        assert_layered(world)
        assert len(tokens.given) == 1
        assert "scope=repository%3Atest%2Flayered%3Apull" in tokens.asked[0]

    def test_by_token_that_is_refused(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, _ = token_registry
        with pytest.raises(errors.Unauthenticated, match="access denied"):
            worlds().pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, "wrong"))))

    def test_by_token_that_ends_in_the_middle(self, worlds, token_registry: tuple[Proxy, TokenServer]) -> None:
        proxy, tokens = token_registry

        def over(exchange: Exchange) -> None:
            challenge = f'Bearer realm="{proxy.url}/token",service="registry"'
            if exchange.request.header("Authorization") == f"Bearer {tokens.given[0]}":
                exchange.answer(401, {"WWW-Authenticate": challenge})

        proxy.on("GET", BLOBS, over)
        world = worlds()
        world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
        assert_layered(world)
        assert len(tokens.given) == 2  # one more, whatever the number of layers

    def test_never_go_to_a_strangers_token_server(self, world, proxy: Proxy) -> None:
        with Proxy() as stranger:
            realm = f'Bearer realm="{stranger.url}/token",service="registry"'
            proxy.on("HEAD", "/manifests/", Exchange.answer, 401, {"WWW-Authenticate": realm})
            reach = Reach(authority=lambda *_: Credentials(USER, PASSWORD))
            with pytest.raises(errors.PermissionDenied, match="token_realms"):
                world.pull(wanted(proxy.address, registry=reach))
            assert stranger.requests == []

    def test_go_to_another_token_server_that_is_listed(self, worlds, proxy: Proxy) -> None:
        with Proxy() as other:
            body = json.dumps({"token": "t"}).encode()
            other.on("GET", "/token", Exchange.answer, 200, {}, body)
            realm = f'Bearer realm="{other.url}/token",service="registry"'
            proxy.on("HEAD", "/manifests/", Exchange.answer, 401, {"WWW-Authenticate": realm}, times=1)
            world = worlds(token_realms=lambda host: (other.address,))
            world.pull(wanted(proxy.address, registry=Reach(authority=lambda *_: Credentials(USER, PASSWORD))))
            [request] = other.requests
            assert request.header("Authorization").startswith("Basic ")

    def test_are_not_given_to_foreign_layers(self, world, proxy: Proxy, layout: Layout) -> None:
        """CVE-2020-15157: URLs in a manifest are not even asked."""
        with Proxy() as evil:
            manifest = json.loads(layout.read(layout.tags["layered"]))
            for item in manifest["layers"]:
                item["urls"] = [f"{evil.url}/blob"]
            serve_manifest(proxy, json.dumps(manifest).encode())
            world.pull(wanted(proxy.address))
            assert evil.requests == []


class TestBadManifests:
    @pytest.mark.parametrize("announced", [True, False])
    def test_too_large_are_not_read(self, world, proxy: Proxy, announced: bool) -> None:
        body = b"{" + b" " * (5 << 20) + b"}"
        serve_manifest(proxy, body, digest=announced)
        with pytest.raises(errors.ResourceExhausted):
            world.pull(wanted(proxy.address))
        assert_nothing_named(world)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"schemaVersion":2,"layers":[],"layers":[],"config":{}}',
            b'{"schemaVersion":2,"config":{},"manifests":[]}',
            b'{"schemaVersion":1,"fsLayers":[{}]}',
            b'{"schemaVersion":2,"config":{"mediaType":"a","size":1,"digest":"sha256:../../etc/passwd"}}',
            b"[" * 100_000,
            b"[]",
            b"null",
            b"\xef\xbb\xbf{}",
            b"",
        ],
    )
    def test_are_refused(self, world, proxy: Proxy, body: bytes) -> None:
        serve_manifest(proxy, body)
        with pytest.raises((errors.InvalidArgument, errors.DataLoss)):
            world.pull(wanted(proxy.address))
        assert_nothing_named(world)


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
        assert_nothing_named(world)
        world.pull(wanted(registry.address, "big"))
        assert_layered(world)

    def test_of_the_unpacker_stops_it(self, world, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(data: bytes) -> None:
            raise errors.ResourceExhausted("unpack: no space left on device: resource exhausted")

        monkeypatch.setattr(world.differ, "written", full)
        with pytest.raises(errors.ResourceExhausted, match="no space left"):
            world.pull(wanted(registry.address, "big"))
        assert_nothing_named(world)
        assert all(application.closed for application in world.differ.applications)


class TestMirrors:
    def test_are_asked_first_and_told_whose_images(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address) as mirror:
            write_host_file(tmp_path, "images.example", f'[host."{mirror.url}"]\ncapabilities = ["pull", "resolve"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert all("?ns=images.example" in request.target for request in mirror.requests)
        assert_layered(world)

    def test_that_fail_are_followed_by_the_next(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy("") as empty, Proxy(registry.address) as good:
            write_host_file(tmp_path, "images.example", f'[host."{empty.url}"]\n[host."{good.url}"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
            assert empty.requests
        assert_layered(world)

    def test_that_lie_are_followed_by_the_next(self, world, registry: Registry, tmp_path: Path) -> None:
        with Proxy(registry.address) as liar, Proxy(registry.address) as good:
            liar.on("GET", BLOBS, lambda exchange: exchange.corrupt(20))
            write_host_file(tmp_path, "images.example", f'[host."{liar.url}"]\n[host."{good.url}"]\n')
            world.pull(wanted("images.example", registry=Reach(config_path=str(tmp_path / "certs.d"))))
        assert_layered(world)


def challenge_basic(exchange: Exchange) -> None:
    exchange.answer(401, {"WWW-Authenticate": 'Basic realm="test"'})


def serve_manifest(proxy: Proxy, body: bytes, digest: bool = True) -> None:
    """Every manifest of the proxy is ``body`` from now on."""
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    if digest:
        headers["Docker-Content-Digest"] = digests.of(body)
    for method in ("HEAD", "GET"):
        proxy.on(method, "/manifests/", Exchange.answer, 200, headers, body)


def serve_layout(proxy: Proxy, layout: Layout, target: Descriptor) -> None:
    """The proxy is a registry of what is in the layout; every tag is ``target``."""

    def serve(exchange: Exchange) -> None:
        name = exchange.request.target.rpartition("/")[2]
        digest = name if ":" in name else target.digest
        data = layout.file(digest).read_bytes()
        kind = str(json.loads(data).get("mediaType", OCI_INDEX)) if "/manifests/" in exchange.request.target else "x"
        exchange.answer(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, data)

    for method in ("HEAD", "GET"):
        proxy.on(method, "/", serve)


def write_hosts(root: Path, proxy: Proxy, text: str) -> None:
    write_host_file(root, proxy.address.replace(":", "_") + "_", f'server = "{proxy.url}"\n{text}')


def write_host_file(root: Path, name: str, text: str) -> None:
    (root / "certs.d" / name).mkdir(parents=True)
    (root / "certs.d" / name / "hosts.toml").write_text(text)


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def token_registry(tmp_path: Path, layout: Layout):
    proxy = Proxy()
    tokens = TokenServer(tmp_path, f"{proxy.url}/token", {USER: PASSWORD})
    proxy.tokens = tokens
    with proxy, Registry(tmp_path / "registry", tokens=tokens) as registry:
        proxy.upstream = registry.address
        push(layout, "layered", f"{proxy.address}/test/layered:latest", credentials=f"{USER}:{PASSWORD}")
        tokens.given.clear()
        tokens.asked.clear()
        yield proxy, tokens


def test_gzip_of_layers_is_as_expected(layout: Layout) -> None:
    """The images of these tests are big enough for the faults above: more than 9000 bytes in every layer of ``big``."""
    manifest = json.loads(layout.read(layout.tags["big"]))
    assert all(item["size"] > 9000 for item in manifest["layers"])
    assert all(gzip.decompress(layout.file(item["digest"]).read_bytes()) for item in manifest["layers"])
