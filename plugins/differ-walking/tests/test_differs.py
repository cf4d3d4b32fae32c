from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from moorage_differ_walking import differs
from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.limits import Limits
from moorage_sdk import descriptors, digests, errors, labels
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts
from moorage_testkit import trees
from moorage_testkit.archives import Tar
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.blobs import put, read

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
LAYER = Tar().folder("d").file("d/f", b"content").symlink("l", "d/f").end()


@pytest.fixture
def differ(tmp_path: Path) -> WalkingDiffer:
    return WalkingDiffer(tmp_path / "workspace")


def bind(path: Path) -> tuple[Mount, ...]:
    path.mkdir(exist_ok=True)
    return (Mount("bind", str(path), ("rbind", "rw")),)


def overlay(tmp_path: Path) -> tuple[Mount, ...]:
    for name in ("lower1", "lower2", "upper", "work"):
        (tmp_path / name).mkdir(exist_ok=True)
    lower = f"lowerdir={tmp_path}/lower2:{tmp_path}/lower1"
    return (Mount("overlay", "overlay", (f"workdir={tmp_path}/work", f"upperdir={tmp_path}/upper", lower)),)


@needs_root
@pytest.mark.parametrize(
    ("media_type", "compress"),
    [(OCI_LAYER, bytes), (OCI_LAYER_GZIP, gzip.compress), (OCI_LAYER_ZSTD, zstd.compress),
     (descriptors.DOCKER_LAYER_GZIP, gzip.compress), (descriptors.DOCKER_LAYER, gzip.compress),
     (OCI_LAYER_GZIP, bytes)],
)  # fmt: skip
def test_apply_returns_the_uncompressed_layer(
    differ: WalkingDiffer, tmp_path: Path, media_type: str, compress: Callable[[bytes], bytes]
) -> None:
    store = MemoryStore()
    blob = compress(LAYER)
    layer = Descriptor(media_type, put(store, blob), len(blob))
    for sync in (False, True):
        applied = differ.apply(layer, bind(tmp_path / "target"), store, sync=sync)
        assert applied == Descriptor(OCI_LAYER, digests.of(LAYER), len(LAYER))
    assert (tmp_path / "target/l").read_bytes() == b"content"
    assert mountinfo.beneath(str(tmp_path)) == []
    assert list((tmp_path / "workspace").iterdir()) == []


@needs_root
def test_apply_to_an_overlay_goes_to_its_upper_directory(differ: WalkingDiffer, tmp_path: Path) -> None:
    what = overlay(tmp_path)
    (tmp_path / "lower1/d").mkdir(mode=0o700)
    (tmp_path / "lower1/d/gone").touch()
    layer = Tar().file("d/new", b"x").file("d/.wh.gone").end()
    with differ.open(OCI_LAYER, what) as application:
        application.write(layer)
        assert application.finish().digest == digests.of(layer)
    assert (tmp_path / "upper/d").stat().st_mode & 0o777 == 0o700
    with mounts.temporary(what) as merged:
        assert sorted(entry.name for entry in (merged / "d").iterdir()) == ["new"]


@needs_root
def test_faults_have_their_class(differ: WalkingDiffer, tmp_path: Path) -> None:
    store, target = MemoryStore(), bind(tmp_path / "target")
    blob = gzip.compress(LAYER)
    with pytest.raises(errors.NotFound):
        differ.apply(Descriptor(OCI_LAYER_GZIP, digests.of(blob), len(blob)), target, store)
    damaged = put(store, blob[:-20])
    with pytest.raises(errors.DataLoss):
        differ.apply(Descriptor(OCI_LAYER_GZIP, damaged, 1), target, store)
    hostile = put(store, Tar().file(".wh...").end())
    with pytest.raises(errors.InvalidArgument):
        differ.apply(Descriptor(OCI_LAYER, hostile, 1), target, store)
    with pytest.raises(errors.InvalidArgument):
        differ.apply(Descriptor(OCI_LAYER, hostile, 1), (), store)
    small = WalkingDiffer(tmp_path / "workspace", Limits(entries=1))
    with pytest.raises(errors.ResourceExhausted):
        small.apply(Descriptor(OCI_LAYER, put(store, LAYER), 1), target, store)
    absent = (Mount("bind", str(tmp_path / "absent"), ("rbind",)),)
    with pytest.raises(errors.Error, match="absent"):
        differ.apply(Descriptor(OCI_LAYER, digests.of(LAYER), 1), absent, store)


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", OCI_LAYER + "+encrypted", OCI_LAYER_GZIP + "+encrypted", OCI_LAYER + "+xz"]
)
def test_other_media_types_are_for_other_differs(differ: WalkingDiffer, tmp_path: Path, media_type: str) -> None:
    with pytest.raises(errors.Unimplemented):
        differ.open(media_type, bind(tmp_path / "target"))
    if media_type:
        with pytest.raises(errors.Unimplemented):
            differ.compare((), bind(tmp_path / "target"), MemoryStore(), media_type=media_type)


def test_media_types_that_are_sniffed() -> None:
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    assert [differs.compression(name) for name in (OCI_LAYER, foreign, foreign + "+gzip")] == ["", "", "sniff"]


@needs_root
@pytest.mark.parametrize("media_type", [OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD])
def test_compare_and_apply_are_inverse(differ: WalkingDiffer, tmp_path: Path, media_type: str) -> None:
    store = MemoryStore()
    what = overlay(tmp_path)
    (tmp_path / "lower1/gone").touch()
    (tmp_path / "lower1/d").mkdir()
    (tmp_path / "lower2/d").mkdir()
    (tmp_path / "lower1/d/f").write_text("1")
    with mounts.temporary(what) as merged:
        (merged / "gone").unlink()
        (merged / "d/f").write_text("2")
        (merged / "d/new").write_bytes(os.urandom(100_000))
        wanted = trees.read(merged, hidden=("trusted.overlay.",))
    lower = (Mount("overlay", "overlay", (f"lowerdir={tmp_path}/lower2:{tmp_path}/lower1",)),)
    layer = differ.compare(lower, what, store, media_type=media_type, labels={"a": "b"})
    assert layer.media_type == media_type
    assert layer.size == len(read(store, layer.digest))
    applied = differ.apply(layer, bind(tmp_path / "copy"), store)
    assert store.info(layer.digest).labels == {"a": "b", labels.UNCOMPRESSED: applied.digest}
    assert store.statuses() == []
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat/gone").touch()
    (tmp_path / "flat").chmod(0o755)
    differ.apply(layer, bind(tmp_path / "flat"), store)
    assert {path: node.data for path, node in trees.read(tmp_path / "flat").items()} == {
        path: node.data for path, node in wanted.items()
    }
    assert mountinfo.beneath(str(tmp_path)) == []


@needs_root
def test_compare_with_nothing_is_everything(differ: WalkingDiffer, tmp_path: Path) -> None:
    store, target = MemoryStore(), bind(tmp_path / "target")
    (tmp_path / "target/f").touch()
    one = differ.compare((), target, store)
    again = differ.compare((), target, store, ref="given")
    assert one == again
    assert store.statuses() == []


@needs_root
def test_compare_starts_over_in_a_given_reference(differ: WalkingDiffer, tmp_path: Path) -> None:
    store, target = MemoryStore(), bind(tmp_path / "target")
    with store.writer("given") as writer:
        writer.write(b"from an earlier attempt")
    layer = differ.compare((), target, store, ref="given", media_type=OCI_LAYER)
    assert read(store, layer.digest) == bytes(1024)


@needs_root
def test_blob_that_exists_gets_its_label(differ: WalkingDiffer, tmp_path: Path) -> None:
    store, target = MemoryStore(), bind(tmp_path / "target")
    digest = put(store, bytes(1024))
    assert differ.compare((), target, store, media_type=OCI_LAYER).digest == digest
    assert store.info(digest).labels == {labels.UNCOMPRESSED: digest}


@needs_root
def test_failed_comparison_leaves_no_ingest(differ: WalkingDiffer, tmp_path: Path) -> None:
    store = MemoryStore()
    absent = (Mount("bind", str(tmp_path / "absent"), ("rbind",)),)
    with pytest.raises(errors.Error, match="absent"):
        differ.compare((), absent, store)
    assert store.statuses() == []


@needs_root
def test_many_at_once(differ: WalkingDiffer, tmp_path: Path) -> None:
    store = MemoryStore()
    layer = Descriptor(OCI_LAYER, put(store, LAYER), len(LAYER))
    found: list[str] = []

    def apply(number: int) -> None:
        found.append(differ.apply(layer, bind(tmp_path / f"target{number}"), store).digest)

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [digests.of(LAYER)] * 6
    assert {(tmp_path / f"target{number}/d/f").read_bytes() for number in range(6)} == {b"content"}
