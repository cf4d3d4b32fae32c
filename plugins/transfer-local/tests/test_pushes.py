"""Pushes to a real registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from moorage_sdk import digests, errors, platforms
from moorage_sdk.descriptors import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from moorage_sdk.leases import Resource
from moorage_sdk.transfers import Progress, Push
from moorage_testkit.images import Layout
from moorage_testkit.registries import Exchange, Proxy, Registry

EMPTY = "application/vnd.oci.empty.v1+json"


def target(address: str, tag: str = "1", **more: object) -> Push:
    return Push(f"{address}/some/where:{tag}", name="local", **more)  # type: ignore[arg-type]


def read_back(store: Registry, folder: Path, tag: str = "1", *options: str) -> Layout:
    """What skopeo gets from the registry."""
    layout = Layout(folder)
    source = f"docker://{store.address}/some/where:{tag}"
    subprocess.run(
        ["skopeo", "copy", "--src-tls-verify=false", *options, source, f"oci:{folder}:back"],
        check=True,
        capture_output=True,
    )
    return layout


def blobs(layout: Layout) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (layout.path / "blobs" / "sha256").iterdir()}


def stored(store: Registry, digest: str) -> bytes:
    name = digests.split(digest)[1]
    return (store.blobs / "sha256" / name[:2] / name / "data").read_bytes()


def entry(descriptor: Descriptor, **more: object) -> dict[str, object]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size, **more}


class TestAnImage:
    def test_is_what_others_read_back_byte_for_byte(
        self, world, layout: Layout, store: Registry, tmp_path: Path
    ) -> None:
        image = world.hold(layout, "layered", "local")
        assert world.push(target(store.address)) == image
        back = blobs(read_back(store, tmp_path / "back"))
        assert len(back) == 6
        assert back == {name: data for name, data in blobs(layout).items() if name in back}
        assert digests.split(image.target.digest)[1] in back

    def test_of_an_index_is_pushed_whole(self, world, layout: Layout, store: Registry, tmp_path: Path) -> None:
        world.hold(layout, "multi", "local")
        world.push(target(store.address))
        back = blobs(read_back(store, tmp_path / "back", "1", "--all"))
        assert len(back) == 10
        assert digests.split(layout.tags["multi"].digest)[1] in back
        assert back == {name: data for name, data in blobs(layout).items() if name in back}

    def test_leaves_neither_lease_nor_change(self, world, layout: Layout, store: Registry) -> None:
        world.hold(layout, "layered", "local")
        before = {info.digest: info for info in world.content.walk()}
        world.push(target(store.address))
        assert world.view.leases.list() == []
        assert {info.digest: info for info in world.content.walk()} == before

    def test_is_leased_meanwhile(self, world, layout: Layout, gate: Proxy) -> None:
        image = world.hold(layout, "layered", "local")
        held: list[Resource] = []

        def look(exchange: Exchange) -> None:
            for lease in world.view.leases.list():
                held.extend(world.view.leases.resources(lease.id))

        gate.on("PUT", "/manifests/", look)
        world.push(target(gate.address))
        assert held == [Resource(image.target.digest, "content")]

    def test_is_pushed_children_first(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "multi", "local")
        world.push(target(gate.address))
        order = [
            ("blob" if "/blobs/" in r.target else r.target.rpartition("/")[2])
            for r in gate.requests
            if r.method == "PUT"
        ]
        assert order[:6] == ["blob"] * 6
        assert all(name.startswith("sha256:") for name in order[6:9])
        assert order[9:] == ["1"]

    def test_that_is_there_is_only_asked_for(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(gate.address))
        before = len(gate.requests)
        world.push(target(gate.address))
        assert {request.method for request in gate.requests[before:]} == {"HEAD"}

    def test_with_another_tag_sends_its_manifest_alone(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(gate.address))
        before = len(gate.requests)
        world.push(target(gate.address, "2"))
        assert [r.target for r in gate.requests[before:] if r.method != "HEAD"] == ["/v2/some/where/manifests/2"]

    def test_takes_a_tag_from_another_image(self, world, layout: Layout, store: Registry, tmp_path: Path) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(store.address))
        world.view.images.delete("local")
        world.hold(layout, "big", "local")
        world.push(target(store.address))
        back = blobs(read_back(store, tmp_path / "back"))
        assert digests.split(layout.tags["big"].digest)[1] in back

    @pytest.mark.parametrize(
        ("suffix", "asked"), [("", "digest"), (":t", "t"), ("@digest", "digest"), (":t@digest", "t")]
    )
    def test_is_tagged_as_the_reference_says(self, world, layout: Layout, gate: Proxy, suffix: str, asked: str) -> None:
        digest = world.hold(layout, "layered", "local").target.digest
        world.push(Push(f"{gate.address}/some/where{suffix.replace('digest', digest)}", "local"))
        [put] = gate.seen("PUT", "/manifests/")
        assert put.target == "/v2/some/where/manifests/" + asked.replace("digest", digest)

    def test_is_not_tagged_when_the_reference_means_another(self, world, layout: Layout, gate: Proxy) -> None:
        digest = world.hold(layout, "layered", "local").target.digest
        world.push(Push(f"{gate.address}/some/where:t@{layout.tags['big'].digest}", "local"))
        [put] = gate.seen("PUT", "/manifests/")
        assert put.target == f"/v2/some/where/manifests/{digest}"

    def test_unknown_is_not_found(self, world, store: Registry) -> None:
        with pytest.raises(errors.NotFound, match="local"):
            world.push(target(store.address))
        assert world.lines == []

    def test_that_lacks_a_manifest_is_not_found(self, world, layout: Layout, gate: Proxy) -> None:
        digest = world.hold(layout, "layered", "local").target.digest
        world.content.delete(digest)
        with pytest.raises(errors.NotFound, match=digest):
            world.push(target(gate.address))
        assert gate.requests == []

    def test_that_lacks_a_layer_is_not_found(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "layered", "local")
        layer = json.loads(layout.read(layout.tags["layered"]))["layers"][2]["digest"]
        world.content.delete(layer)
        with pytest.raises(errors.NotFound, match=layer):
            world.push(target(gate.address))
        assert gate.count("PUT", "/manifests/") == 0
        assert world.view.leases.list() == []

    def test_that_lacks_a_layer_is_pushed_where_it_is_there(self, world, layout: Layout, store: Registry) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(store.address))
        world.content.delete(json.loads(layout.read(layout.tags["layered"]))["layers"][2]["digest"])
        world.push(target(store.address, "2"))

    def test_of_a_layer_with_another_size_is_refused(self, world, layout: Layout, store: Registry) -> None:
        world.hold(layout, "layered", "local")
        blob = layout.blob("application/vnd.oci.image.layer.v1.tar", b"abc")
        config = layout.blob(EMPTY, b"{}")
        lying = entry(Descriptor(blob.media_type, blob.digest, 4))
        document = {"schemaVersion": 2, "config": entry(config), "layers": [lying]}
        layout.tag("lying", layout.blob(OCI_MANIFEST, json.dumps(document).encode()))
        world.view.images.delete("local")
        world.hold(layout, "lying", "local")
        with pytest.raises(errors.DataLoss, match="3 bytes and not 4"):
            world.push(target(store.address))


class TestPlatforms:
    def test_are_chosen_among_those_of_an_index(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "multi", "local")
        with pytest.raises(errors.FailedPrecondition, match="missing in your target registry") as caught:
            world.push(target(gate.address, platforms=(platforms.parse("linux/arm64"),)))
        # This registry takes an index only with all it lists.
        assert "MANIFEST_BLOB_UNKNOWN" in str(caught.value)
        assert gate.count("PUT", "/blobs/") == 2
        assert gate.count("PUT", "/manifests/sha256") == 1

    def test_are_enough_where_the_registry_has_the_others(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "multi", "local")
        world.push(target(gate.address))
        before = len(gate.requests)
        world.push(target(gate.address, "2", platforms=(platforms.parse("linux/arm64"),)))
        later = gate.requests[before:]
        assert len([r for r in later if r.method == "HEAD"]) == 4
        assert [r.target for r in later if r.method == "PUT"] == ["/v2/some/where/manifests/2"]

    def test_that_nothing_is_for_are_not_found(self, world, layout: Layout, gate: Proxy) -> None:
        world.hold(layout, "multi", "local")
        with pytest.raises(errors.NotFound, match="no match for platform linux/s390x: not found"):
            world.push(target(gate.address, platforms=(platforms.parse("linux/s390x"),)))
        assert gate.requests == []

    def test_do_not_count_for_a_manifest(self, world, layout: Layout, store: Registry) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(store.address, platforms=(platforms.parse("linux/s390x"),)))


class TestArtifacts:
    def test_of_any_type_and_with_a_subject_are_pushed(self, world, layout: Layout, store: Registry) -> None:
        subject = layout.tags["layered"]
        config = layout.blob(EMPTY, b"{}")
        blob = layout.blob("application/spdx+json", b'{"spdx": true}')
        empty = layout.blob("text/plain", b"")
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": "application/spdx+json",
            "config": entry(config),
            "layers": [entry(blob), entry(empty), entry(blob)],
            "subject": entry(subject),
        }
        layout.tag("sbom", layout.blob(OCI_MANIFEST, json.dumps(document).encode()))
        world.hold(layout, "sbom", "local")
        world.push(target(store.address))
        for descriptor in (config, blob, empty, layout.tags["sbom"]):
            assert stored(store, descriptor.digest) == layout.read(descriptor)

    def test_in_dockers_types_keep_them(self, world, layout: Layout, gate: Proxy, store: Registry) -> None:
        config = layout.blob(DOCKER_CONFIG, b'{"architecture":"amd64","os":"linux"}')
        layer = layout.blob(DOCKER_LAYER_GZIP, b"layer")
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": entry(config),
            "layers": [entry(layer)],
        }
        manifest = layout.blob(DOCKER_MANIFEST, json.dumps(document).encode())
        listed = entry(manifest, platform={"os": "linux", "architecture": "amd64"})
        index = {"schemaVersion": 2, "mediaType": DOCKER_INDEX, "manifests": [listed]}
        layout.tag("docker", layout.blob(DOCKER_INDEX, json.dumps(index).encode()))
        world.hold(layout, "docker", "local")
        world.push(target(gate.address))
        types = [request.header("Content-Type") for request in gate.seen("PUT", "/manifests/")]
        assert types == [DOCKER_MANIFEST, DOCKER_INDEX]
        assert stored(store, layout.tags["docker"].digest) == layout.read(layout.tags["docker"])

    def test_that_are_a_blob_alone_are_pushed_as_one(self, world, layout: Layout, store: Registry) -> None:
        layout.tag("blob", layout.blob("text/plain", b"hello"))
        world.hold(layout, "blob", "local")
        world.push(target(store.address))
        assert stored(store, layout.tags["blob"].digest) == b"hello"

    def test_that_may_not_be_distributed_may_be_missing(self, world, layout: Layout, gate: Proxy) -> None:
        foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        absent = Descriptor(foreign, digests.of(b"windows"), 7)
        config = layout.blob(DOCKER_CONFIG, b'{"architecture":"amd64","os":"windows"}')
        listed = entry(absent, urls=["https://example.com/windows"])
        document = {"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": entry(config), "layers": [listed]}
        layout.tag("windows", layout.blob(DOCKER_MANIFEST, json.dumps(document).encode()))
        world.hold(layout, "windows", "local")
        # This registry would have to be told which URLs it may list.
        gate.on("PUT", "/manifests/", Exchange.answer, 201)
        world.push(target(gate.address))
        assert gate.count("PUT", "/manifests/1") == 1
        assert gate.count("PUT", absent.digest.partition(":")[2]) == 0

    def test_that_may_not_be_distributed_are_pushed_as_containerds_daemon_does(
        self, world, layout: Layout, gate: Proxy
    ) -> None:
        foreign = layout.blob("application/vnd.oci.image.layer.nondistributable.v1.tar", b"windows")
        config = layout.blob(DOCKER_CONFIG, b'{"architecture":"amd64","os":"windows"}')
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": entry(config), "layers": [entry(foreign)]}
        layout.tag("foreign", layout.blob(OCI_MANIFEST, json.dumps(document).encode()))
        world.hold(layout, "foreign", "local")
        world.push(target(gate.address))
        assert gate.count("PUT", digests.split(foreign.digest)[1]) == 1

    def test_as_indexes_within_indexes_come_innermost_first(self, world, layout: Layout, gate: Proxy) -> None:
        inner = layout.tags["multi"]
        middle = layout.blob(OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": [entry(inner)]}).encode())
        both = {"schemaVersion": 2, "manifests": [entry(inner), entry(middle)]}
        layout.tag("outer", layout.blob(OCI_INDEX, json.dumps(both).encode()))
        world.hold(layout, "outer", "local")
        world.push(target(gate.address))
        puts = [request.target.rpartition("/")[2] for request in gate.seen("PUT", "/manifests/")]
        assert puts[-3:] == [inner.digest, middle.digest, "1"]


class TestProgress:
    def test_is_told_in_containerds_words(self, world, layout: Layout, store: Registry) -> None:
        image = world.hold(layout, "layered", "local")
        world.push(target(store.address))
        where = f"OCI Registry ({store.address}/some/where:1)"
        lines = world.lines
        assert lines[0] == Progress(f"Pushing to {where}")
        assert lines[1] == Progress("pushing content", "local", descriptor=image.target)
        assert lines[-2] == Progress(f"Completed push to {where}", descriptor=image.target)
        assert lines[-1] == Progress("pushed content", "local", descriptor=image.target)
        manifest = f"manifest-{image.target.digest}"
        layers = [line for line in lines if line.name.startswith("layer-")]
        assert {line.event for line in layers} == {"waiting", "uploading", "complete"}
        assert all(line.parents == (manifest,) for line in layers)
        complete = [line for line in lines if line.event == "complete"]
        assert len(complete) == 6
        assert all(line.progress == line.total for line in complete)
        assert (complete[-1].name, complete[-1].parents) == (manifest, ("local",))

    def test_says_what_was_there(self, world, layout: Layout, store: Registry) -> None:
        world.hold(layout, "layered", "local")
        world.push(target(store.address))
        world.lines.clear()
        world.push(target(store.address))
        assert [line.event for line in world.lines].count("already exists") == 6
        assert not [line for line in world.lines if line.event in ("uploading", "complete")]
