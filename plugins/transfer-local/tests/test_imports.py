"""From an archive to named images, in a world in memory."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import digests, errors, labels, platforms
from moorage_sdk.descriptors import OCI_INDEX
from moorage_sdk.images import Image
from moorage_sdk.transfers import ExtraName, Import, Store, Unpack
from moorage_testkit.archives import Tar
from moorage_testkit.images import File, Layout, archive, layer, layered, multi_platform

TAGS = ExtraName("r.test/img", is_prefix=True)
HOST = Unpack(platforms.host())
ARM = platforms.parse("linux/arm64")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Archives by name."""
    found = {}
    for name, make in {"layered": layered, "multi": multi_platform}.items():
        folder = tmp_path_factory.mktemp(name)
        layout = Layout(folder / "layout")
        layout.tag(name, make(layout))
        found[name] = archive(layout, folder / "tar").read_bytes()
    return found


def take(world: Any, data: bytes, store: Store | None = None, **more: Any) -> list[Image]:
    store = store or Store(extra_names=(TAGS,), unpacks=(HOST,))
    images: list[Image] = world.transfer.import_archive(
        world.view, Import(io.BytesIO(data), store, **more), world.lines.append
    )
    return images


def without(data: bytes, unwanted: Callable[[str], bool]) -> bytes:
    """The archive without some of its files."""
    import tarfile

    result = Tar()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isfile() and not unwanted(member.name):
                content = tar.extractfile(member)
                assert content is not None
                result.file(member.name, content.read())
    return result.end()


def children(world: Any, digest: str) -> dict[str, str]:
    kept = world.content.info(digest).labels
    return {key: value for key, value in kept.items() if key.startswith(labels.GC_REF_CONTENT)}


class TestAnImage:
    def test_is_stored_unpacked_and_named(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["layered"])
        assert image.name == "r.test/img:layered"
        assert world.view.images.get(image.name).target == image.target
        world.assert_layered()
        assert world.view.leases.list() == []
        assert world.content.ingests == {}

    def test_keeps_all_its_parts_alive(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["layered"])
        manifest = json.loads(world.content.blobs[image.target.digest])
        kept = children(world, image.target.digest)
        assert kept[f"{labels.GC_REF_CONTENT}.config"] == manifest["config"]["digest"]
        assert [kept[f"{labels.GC_REF_CONTENT}.l.{n}"] for n in range(4)] == [
            item["digest"] for item in manifest["layers"]
        ]
        [top] = world.tops()
        config = world.content.info(manifest["config"]["digest"])
        assert config.labels[f"{labels.GC_REF_SNAPSHOT}overlayfs"] == top

    def test_is_told_of_as_containerd_does(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["layered"])
        assert [(line.event, line.name) for line in world.lines] == [
            ("Importing", ""),
            ("saved", image.name),
            ("Completed import", ""),
        ]
        assert world.lines[1].descriptor == image.target

    def test_can_be_imported_again_and_moves_its_name(self, world: Any, packed: dict[str, bytes]) -> None:
        take(world, packed["layered"])
        blobs = dict(world.content.blobs)
        take(world, packed["layered"])
        assert world.content.blobs == blobs
        take(world, packed["multi"], Store("r.test/img:layered"))
        assert world.view.images.get("r.test/img:layered").target.media_type == OCI_INDEX

    def test_may_lack_a_layer_that_nobody_unpacks(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["layered"], Store(extra_names=(TAGS,)))
        victim = json.loads(world.content.blobs[image.target.digest])["layers"][1]["digest"]
        lacking = without(packed["layered"], lambda name: name.endswith(victim[7:]))
        world.content.delete(victim)
        world.view.images.delete(image.name)
        with pytest.raises(errors.NotFound, match=victim):
            take(world, lacking)
        world.assert_nothing_named()
        assert len(take(world, lacking, Store(extra_names=(TAGS,)))) == 1


def test_every_image_of_an_archive_is_unpacked(world: Any, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("layered", layered(layout))
    layout.tag("multi", multi_platform(layout))
    images = take(world, archive(layout, tmp_path / "tar").read_bytes())
    assert [image.name for image in images] == ["r.test/img:layered", "r.test/img:multi"]
    tops = [world.snapshots.folders[top] for top in world.tops()]
    assert sorted((folder / "platform").exists() for folder in tops) == [False, True]


class TestNames:
    def test_are_of_the_index_and_of_its_images(self, world: Any, packed: dict[str, bytes]) -> None:
        extra = ExtraName("r.test/img", is_prefix=True, add_digest=True)
        images = take(world, packed["layered"], Store("r.test/all:1", {"l": "m"}, (extra,)))
        index, image = images[0].target.digest, images[-1].target.digest
        assert [each.name for each in images] == [
            "r.test/all:1", f"r.test/img@{index}", "r.test/img:layered", f"r.test/img@{image}",
        ]  # fmt: skip
        assert all(each.labels["l"] == "m" for each in images)
        assert images[2].target.annotations == {"org.opencontainers.image.ref.name": "layered"}

    def test_may_be_none(self, world: Any, packed: dict[str, bytes]) -> None:
        assert take(world, packed["layered"], Store()) == []
        assert world.view.images.list() == []


class TestPlatforms:
    def test_are_all_by_default(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["multi"], Store(extra_names=(TAGS,)))
        found = children(world, image.target.digest)
        assert len(found) == 3
        assert all(children(world, digest) for digest in found.values())

    def test_that_are_not_wanted_need_not_be_there(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["multi"], Store(extra_names=(TAGS,)))
        arm = children(world, image.target.digest)[f"{labels.GC_REF_CONTENT}.m.1"]
        kept = {arm, *children(world, arm).values(), image.target.digest}
        lacking = without(packed["multi"], lambda name: name.startswith("blobs") and f"sha256:{name[-64:]}" not in kept)
        for digest in set(world.content.blobs) - kept:
            world.content.delete(digest)
        with pytest.raises(errors.NotFound):
            take(world, lacking, Store(extra_names=(TAGS,)))
        take(world, lacking, Store(extra_names=(TAGS,), platforms=(ARM,), unpacks=(Unpack(ARM),)))
        [folder] = world.snapshots.folders.values()
        assert (folder / "platform").read_text() == "linux/arm64"

    def test_that_are_not_there_are_not_found(self, world: Any, packed: dict[str, bytes]) -> None:
        store = Store(extra_names=(TAGS,), platforms=(platforms.parse("linux/s390x"),))
        with pytest.raises(errors.NotFound, match="no image for the platforms"):
            take(world, packed["multi"], store)
        world.assert_nothing_named()

    def test_can_be_limited(self, world: Any, packed: dict[str, bytes]) -> None:
        amd = platforms.parse("linux/amd64")
        [image] = take(world, packed["multi"], Store(extra_names=(TAGS,), platforms=(ARM, amd), manifest_limit=1))
        labelled = [bool(children(world, digest)) for digest in children(world, image.target.digest).values()]
        assert labelled == [False, True, False]

    def test_of_others_can_bring_their_metadata(self, world: Any, packed: dict[str, bytes]) -> None:
        [image] = take(world, packed["multi"], Store(extra_names=(TAGS,), platforms=(ARM,), all_metadata=True))
        assert all(children(world, digest) for digest in children(world, image.target.digest).values())


def saved(**entry: Any) -> bytes:
    content = layer([File("etc/keep", b"2")])
    config = {"os": "linux", "architecture": platforms.host().architecture}
    document = json.dumps({**config, "rootfs": {"diff_ids": [digests.of(content)]}}).encode()
    listed = [{"Config": "c.json", "RepoTags": ["img:1"], "Layers": ["l/layer.tar"], **entry}]
    tar = Tar().file("l/layer.tar", content).file("c.json", document)
    return tar.file("manifest.json", json.dumps(listed).encode()).end()


@pytest.mark.parametrize("compress", [False, True])
def test_what_docker_saved_of_old_is_an_image(world: Any, compress: bool) -> None:
    store = Store(extra_names=(ExtraName("x", is_prefix=True, allow_overwrite=True),), unpacks=(HOST,))
    [image] = take(world, saved(), store, force_compress=compress)
    assert image.name == "docker.io/library/img:1"
    [folder] = world.snapshots.folders.values()
    assert (folder / "etc/keep").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (Tar().file("hello", b"x").end(), "unrecognized image format"),
        (Tar().file("manifest.json", b"null").end(), "unrecognized image format"),
        (b"", "unrecognized image format"),
        (Tar().file("oci-layout", b'{"imageLayoutVersion":"2"}').end(), "unsupported OCI version 2"),
        (Tar().file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}').end(), "missing index.json in OCI layout 1.0.0"),
        (saved(Layers=["none"]), 'layer "none" not found'),
    ],
)
def test_what_is_no_archive_of_images_is_refused(world: Any, data: bytes, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        take(world, data)
    world.assert_nothing_named()


def indexed(index: Any) -> bytes:
    document = index if isinstance(index, bytes) else json.dumps(index).encode()
    return Tar().file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}').file("index.json", document).end()


def entry(data: bytes, media_type: str = OCI_INDEX) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digests.of(data), "size": len(data)}


@pytest.mark.parametrize(
    "index",
    [
        {"manifests": None},
        {"manifests": []},
        {"manifests": [], "layers": []},
        {"manifests": [entry(b"x")], "config": {}},
        {"manifests": [{"mediaType": OCI_INDEX, "digest": "sha256:../../etc/passwd", "size": 1}]},
        {"manifests": [{"mediaType": OCI_INDEX, "digest": "md5:" + "a" * 32, "size": 1}]},
        {"manifests": [{**entry(b"x"), "size": -1}]},
        {"manifests": [{**entry(b"x"), "annotations": {"a": 1}}]},
        b'{"manifests":[],"manifests":[]}',
        b"[]",
        b"\xff\xfe",
    ],
)
def test_sec_31_indexes_that_are_none(world: Any, index: Any) -> None:
    with pytest.raises(errors.InvalidArgument):
        take(world, indexed(index))
    world.assert_nothing_named()


def test_what_is_neither_image_nor_index_is_named_and_not_looked_into(world: Any) -> None:
    named = entry(b"x", "text/plain") | {"annotations": {"org.opencontainers.image.ref.name": "text"}}
    [image] = take(world, indexed({"manifests": [named]}))
    assert (image.name, image.target.media_type) == ("r.test/img:text", "text/plain")


def test_sec_33_an_index_has_a_limit(world: Any) -> None:
    with pytest.raises(errors.ResourceExhausted, match="limit"):
        take(world, indexed(b"{}" + b" " * (20 << 20)))
    world.assert_nothing_named()


def test_indexes_within_indexes_end_somewhere(world: Any) -> None:
    tar, inner = Tar().file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), b'{"manifests":[]}'
    for _ in range(20):
        tar.file(f"blobs/sha256/{digests.of(inner)[7:]}", inner)
        inner = json.dumps({"manifests": [entry(inner)]}).encode()
    with pytest.raises(errors.InvalidArgument, match="within each other"):
        take(world, tar.file("index.json", inner).end())
    world.assert_nothing_named()


def test_a_layer_with_another_diff_id_is_data_loss(world: Any, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("lie", layout.image([layer([File("a", b"1")])], diff_ids=[digests.of(b"another")]))
    with pytest.raises(errors.DataLoss, match="diff id"):
        take(world, archive(layout, tmp_path / "tar").read_bytes())
    world.assert_nothing_named()


def test_an_import_that_nobody_wants_any_more_names_nothing(world: Any, packed: dict[str, bytes]) -> None:
    gone = threading.Event()

    class Leaving(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 4000:
                gone.set()
            return super().read(min(size or 0, 512))

    request = Import(Leaving(packed["layered"]), Store("n", extra_names=(TAGS,)), cancelled=gone.is_set)
    with pytest.raises(errors.Cancelled):
        world.transfer.import_archive(world.view, request, world.lines.append)
    world.assert_nothing_named()
    assert world.content.ingests == {}
