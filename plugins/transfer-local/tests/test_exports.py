"""Archives out of the store, in a world in memory. That they are containerd's byte for byte is shown on the wire."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors, platforms
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.transfers import Export, Import, Store
from moorage_testkit.images import Layout, layered, multi_platform
from moorage_transfer_local.imports import LAYOUT_VERSION

ARM, AMD = platforms.parse("linux/arm64"), platforms.parse("linux/amd64")
LAYERED, MULTI = "docker.io/library/layered:1", "r.test/multi:2"


@pytest.fixture
def world(world: Any, tmp_path: Path) -> Any:
    """With two images."""
    layout = Layout(tmp_path / "layout")
    image, index = layered(layout), multi_platform(layout)
    for file in (layout.path / "blobs" / "sha256").iterdir():
        with world.content.writer(file.name) as writer:
            writer.write(file.read_bytes())
            writer.commit()
    world.view.images.create(Image(LAYERED, image.manifest))
    world.view.images.create(Image(MULTI, index))
    return world


def export(world: Any, *names: str, **more: Any) -> bytes:
    sink = io.BytesIO()
    world.transfer.export_archive(world.view, Export(names, sink, **more), world.lines.append)
    return sink.getvalue()


def files(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == sorted(tar.getnames())
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def read(data: bytes, name: str) -> Any:
    return json.loads(files(data)[name])


def test_an_archive_is_an_oci_layout(world: Any) -> None:
    data = export(world, LAYERED)
    target = world.view.images.get(LAYERED).target
    assert read(data, "oci-layout") == {"imageLayoutVersion": LAYOUT_VERSION}
    [listed] = read(data, "index.json")["manifests"]
    assert (listed["digest"], listed["size"], listed["mediaType"]) == (target.digest, target.size, target.media_type)
    assert listed["annotations"] == {
        "io.containerd.image.name": LAYERED,
        "org.opencontainers.image.ref.name": "1",
    }
    blobs = {name: content for name, content in files(data).items() if name.startswith("blobs/")}
    assert {f"sha256:{name[-64:]}": content for name, content in blobs.items()} == {
        digest: world.content.blobs[digest] for digest in (f"sha256:{name[-64:]}" for name in blobs)
    }
    assert len(blobs) == 6


def test_docker_finds_its_list(world: Any) -> None:
    [entry] = read(export(world, LAYERED), "manifest.json")
    manifest = json.loads(world.content.blobs[world.view.images.get(LAYERED).target.digest])
    assert entry["Config"] == f"blobs/sha256/{manifest['config']['digest'][7:]}"
    assert entry["RepoTags"] == ["layered:1"]
    assert entry["Layers"] == [f"blobs/sha256/{item['digest'][7:]}" for item in manifest["layers"]]
    assert "manifest.json" not in files(export(world, LAYERED, skip_compatibility_manifest=True))


def test_the_same_images_are_the_same_bytes(world: Any) -> None:
    assert export(world, LAYERED, MULTI, all_platforms=True) == export(world, LAYERED, MULTI, all_platforms=True)
    names = [
        item["annotations"]["io.containerd.image.name"]
        for item in read(export(world, LAYERED, MULTI), "index.json")["manifests"]
    ]
    assert names == [LAYERED, MULTI]


def test_progress_is_as_containerds(world: Any) -> None:
    export(world, LAYERED)
    assert [(line.event, line.name) for line in world.lines] == [("Exporting", ""), ("Completed export", "")]


def manifests(data: bytes) -> int:
    return sum(b'"layers":[' in content for name, content in files(data).items() if name.startswith("blobs/"))


def test_platforms_are_this_machines_or_those_wanted_or_all(world: Any) -> None:
    assert manifests(export(world, MULTI)) == 1
    assert manifests(export(world, MULTI, platforms=(ARM, AMD))) == 2
    assert manifests(export(world, MULTI, all_platforms=True)) == 3
    for wanted in ((ARM, AMD), (AMD, ARM)):
        [entry] = read(export(world, MULTI, platforms=wanted), "manifest.json")
        config = json.loads(files(export(world, MULTI, platforms=wanted))[entry["Config"]])
        assert config["architecture"] == wanted[0].architecture


def refused(world: Any, *names: str, **more: Any) -> str:
    """The refusal, which comes before the first byte."""
    sink = io.BytesIO()
    with pytest.raises(errors.Error) as caught:
        world.transfer.export_archive(world.view, Export(names, sink, **more), world.lines.append)
    assert sink.getvalue() == b""
    assert world.view.leases.list() == []
    return f"{type(caught.value).__name__}: {caught.value}"


def test_what_is_missing_is_said_before_the_first_byte(world: Any) -> None:
    s390x = platforms.parse("linux/s390x")
    assert refused(world, "none") == 'NotFound: image "none": not found'
    assert refused(world, MULTI, platforms=(s390x,)) == "NotFound: no manifest found for platform: not found"
    assert refused(world, MULTI, platforms=(s390x,), all_platforms=True).startswith("NotFound: no manifest found")
    manifest = json.loads(world.content.blobs[world.view.images.get(LAYERED).target.digest])
    layer = manifest["layers"][2]["digest"]
    world.content.delete(layer)
    assert refused(world, LAYERED).startswith(f'NotFound: content "{layer}"')
    index = json.loads(world.content.blobs[world.view.images.get(MULTI).target.digest])
    world.content.delete(index["manifests"][1]["digest"])
    assert manifests(export(world, MULTI, platforms=(AMD,))) == 1
    assert refused(world, MULTI, all_platforms=True).startswith("NotFound: content")
    world.content.delete(world.view.images.get(MULTI).target.digest)
    assert refused(world, MULTI).startswith("NotFound: content")


def test_what_is_no_image_is_an_invalid_argument(world: Any) -> None:
    digest = next(iter(world.content.blobs))
    world.view.images.create(Image("odd", Descriptor(OCI_LAYER_GZIP, digest, len(world.content.blobs[digest]))))
    assert refused(world, "odd") == 'InvalidArgument: image "odd": only manifests may be exported: invalid argument'
    assert refused(world).startswith("InvalidArgument: no image")
    target = world.view.images.get(LAYERED).target
    world.view.images.create(Image("Not A Reference", target))
    assert refused(world, "Not A Reference").startswith("InvalidArgument: image reference")
    assert export(world, "Not A Reference", skip_compatibility_manifest=True)


def test_a_damaged_blob_does_not_become_an_archive(world: Any) -> None:
    manifest = json.loads(world.content.blobs[world.view.images.get(LAYERED).target.digest])
    layer = manifest["layers"][0]["digest"]
    world.content.blobs[layer] = b"x" * len(world.content.blobs[layer])
    with pytest.raises(errors.DataLoss, match="other bytes than the digest says"):
        export(world, LAYERED)
    world.content.infos[layer] = replace(world.content.infos[layer], size=3)
    assert refused(world, LAYERED).startswith("DataLoss: ")


def foreign(world: Any) -> Descriptor:
    """An image with one layer that is not distributed, and is not there."""
    manifest = json.loads(world.content.blobs[world.view.images.get(LAYERED).target.digest])
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    manifest["layers"].insert(0, {"mediaType": kind, "digest": "sha256:" + "f" * 64, "size": 9})
    data = json.dumps(manifest).encode()
    with world.content.writer("foreign") as writer:
        writer.write(data)
        return replace(world.view.images.get(LAYERED).target, digest=writer.commit(), size=len(data))


def test_foreign_layers_can_be_left_away(world: Any) -> None:
    world.view.images.create(Image("r.test/foreign:1", foreign(world)))
    assert refused(world, "r.test/foreign:1").startswith("NotFound")
    data = export(world, "r.test/foreign:1", skip_non_distributable=True)
    assert "blobs/sha256/" + "f" * 64 not in files(data)
    [entry] = read(data, "manifest.json")
    assert entry["Layers"][0] == "blobs/sha256/" + "f" * 64


def test_sources_are_told(world: Any) -> None:
    digest = world.view.images.get(LAYERED).target.digest
    world.content.update(Info(digest, labels={"containerd.io/distribution.source.r.test": "a,b", "other": "x"}))
    [entry] = read(export(world, LAYERED), "index.json")["manifests"]
    assert entry["annotations"]["containerd.io/distribution.source.r.test"] == "a,b"
    assert "other" not in entry["annotations"]


def test_what_was_exported_can_be_imported(world: Any) -> None:
    data = export(world, LAYERED, MULTI, all_platforms=True)
    before = dict(world.content.blobs)
    targets = {image.name: image.target.digest for image in world.view.images.list()}
    for name in targets:
        world.view.images.delete(name)
    for digest in before:
        world.content.delete(digest)
    every = Store(extra_names=())
    world.transfer.import_archive(world.view, Import(io.BytesIO(data), every), world.lines.append)
    assert before.items() <= world.content.blobs.items()


def test_an_image_with_two_names_is_there_once(world: Any) -> None:
    world.view.images.create(Image("r.test/again:3", world.view.images.get(LAYERED).target))
    data = export(world, LAYERED, "r.test/again:3")
    [entry] = read(data, "manifest.json")
    assert entry["RepoTags"] == ["layered:1", "r.test/again:3"]
    assert len(read(data, "index.json")["manifests"]) == 2


def test_who_stops_is_heard(world: Any) -> None:
    with pytest.raises(errors.Cancelled):
        export(world, LAYERED, cancelled=lambda: True)
    assert world.view.leases.list() == []
