"""Pulls: what of an image is fetched, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moorage_sdk import digests, errors, platforms
from moorage_sdk.descriptors import OCI_INDEX, Descriptor
from moorage_sdk.transfers import Pull, Unpack
from moorage_testkit.images import File, Layout, layer, push
from moorage_testkit.registries import Exchange, Proxy, Registry

HOST = Unpack(platforms.host())
BLOBS = r"/blobs/sha256"


def wanted(address: str, name: str = "layered", **more: object) -> Pull:
    return Pull(f"{address}/test/{name}:latest", unpacks=(HOST,), **more)  # type: ignore[arg-type]


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


class TestBadManifests:
    @pytest.mark.parametrize("announced", [True, False])
    def test_too_large_are_not_read(self, world, proxy: Proxy, announced: bool) -> None:
        body = b"{" + b" " * (5 << 20) + b"}"
        serve_manifest(proxy, body, digest=announced)
        with pytest.raises(errors.ResourceExhausted):
            world.pull(wanted(proxy.address))
        world.assert_nothing_named()

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
        world.assert_nothing_named()


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
