"""Images: that they are what the specification says and what their descriptors say."""

import gzip
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from moorage_sdk import digests, platforms
from moorage_testkit import images
from moorage_testkit.images import BUSYBOX, LAYERED, File, Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def names(layout: Layout, image: images.Image) -> list[list[str]]:
    found = []
    for blob in image.layers:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layout.read(blob)))) as tar:
            found.append(tar.getnames())
    return found


def test_an_image_fits_together(layout: Layout) -> None:
    image = images.layered(layout)
    layout.tag("x", image)
    manifest = json.loads(layout.read(image.manifest))
    config = json.loads(layout.read(image.config))
    assert [item["digest"] for item in manifest["layers"]] == [blob.digest for blob in image.layers]
    tars = [gzip.decompress(layout.read(blob)) for blob in image.layers]
    assert config["rootfs"]["diff_ids"] == [digests.of(tar) for tar in tars] == list(image.diff_ids)
    for blob in (image.manifest, image.config, *image.layers):
        data = layout.read(blob)
        assert (digests.of(data), len(data)) == (blob.digest, blob.size)
    index = json.loads((layout.path / "index.json").read_text())
    assert index["manifests"][0]["digest"] == image.manifest.digest


def test_layered_has_whiteouts_and_an_opaque_directory(layout: Layout) -> None:
    found = [name for layer in names(layout, images.layered(layout)) for name in layer]
    assert {"etc/.wh.gone", "srv/.wh.gone", "opt/.wh..wh..opq"} <= set(found)
    assert set(LAYERED) <= set(found)


def test_images_are_the_same_every_time(tmp_path: Path) -> None:
    first, second = (images.layered(Layout(tmp_path / name), payload=1000) for name in "ab")
    assert first == second


def test_an_index_has_an_image_for_each_platform(layout: Layout) -> None:
    index = json.loads(layout.read(images.multi_platform(layout, ["linux/amd64", "linux/arm/v7"])))
    assert [item["platform"] for item in index["manifests"]] == [
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "arm", "variant": "v7"},
    ]


def test_diff_ids_may_lie_and_layers_may_be_plain(layout: Layout) -> None:
    image = layout.image([b"tar"], diff_ids=["sha256:x"], compressed=False, platform=platforms.parse("linux/arm64"))
    assert image.diff_ids == ("sha256:x",)
    assert layout.read(image.layers[0]) == b"tar"
    assert json.loads(layout.read(image.config))["architecture"] == "arm64"


def test_entries_of_a_layer_are_as_described() -> None:
    files = [images.directory("d", 0o1777), File("d/f", b"x", 0o4755, uid=7, gid=8), File("l", link="d/f")]
    with tarfile.open(fileobj=io.BytesIO(images.layer([*files, File("h", link="d/f", hardlink=True)]))) as tar:
        members = {member.name: member for member in tar}
    assert (members["d"].isdir(), members["d"].mode) == (True, 0o1777)
    assert (members["d/f"].mode, members["d/f"].uid, members["d/f"].gid, members["d/f"].size) == (0o4755, 7, 8, 1)
    assert members["l"].issym()
    assert members["h"].islnk()


@pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox is not installed")
def test_busybox_has_a_shell(layout: Layout) -> None:
    [found] = names(layout, images.busybox(layout))
    assert {"bin/busybox", "bin/sh", "etc/passwd", "tmp"} <= set(found)


def test_debian_comes_from_the_cache(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "minbase-bookworm.tar").write_bytes(images.layer([File("etc/os-release", b"x")]))
    assert names(layout, images.debian(layout, tmp_path)) == [["etc/os-release"]]


def test_the_cache_may_be_named_by_the_environment(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "minbase-trixie.tar").write_bytes(images.layer([File("etc/debian_version", b"13")]))
    monkeypatch.setenv("MOORAGE_CACHE", str(tmp_path))
    assert names(layout, images.debian(layout, suite="trixie")) == [["etc/debian_version"]]


@pytest.mark.skipif(not shutil.which("debootstrap"), reason="debootstrap is not installed")
def test_a_failed_bootstrap_says_why_and_leaves_nothing_half_done(layout: Layout, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "minbase-none.root" / "of one that was killed"
    left.mkdir(parents=True)
    with pytest.raises(RuntimeError, match=r"debootstrap: "):
        images.debian(layout, tmp_path / "cache", suite="none")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["minbase-none.lock"]


def test_an_archive_holds_the_layout(layout: Layout, tmp_path: Path) -> None:
    image = images.layered(layout)
    layout.tag("x", image)
    with tarfile.open(images.archive(layout, tmp_path / "x.tar")) as tar:
        assert {"oci-layout", "index.json", f"blobs/sha256/{image.manifest.digest[7:]}"} <= set(tar.getnames())


@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
def test_a_failed_push_says_why(layout: Layout) -> None:
    layout.tag("x", images.layered(layout))
    with pytest.raises(RuntimeError, match=r"skopeo: .*refused"):
        images.push(layout, "x", "127.0.0.1:9/a/b:c")
