"""Unpacks: stacks into snapshots, without a network. Whole images are in test_transfers."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.mounts import Mount
from moorage_sdk.platforms import Platform
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.fakes.differs import TarDiffer
from moorage_testkit.fakes.rebasing import RebasingSnapshotter
from moorage_testkit.images import File, layer
from moorage_transfer_local.feeds import Feed
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.manifests import Config, Manifest
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.stacks import Stack, plan
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.unpacks import Unpacker

TARS = [layer([File(f"f{n}", b"x" * n), File("same", str(n).encode())]) for n in range(3)]
LAYERS = [gzip.compress(tar, mtime=0) for tar in TARS]


class Shelf:
    """A fetcher whose blobs are on a shelf; ``missing`` are not."""

    def __init__(self, content: MemoryStore) -> None:
        self.content, self.stop, self.flights, self.scope = content, Stop(), Flights(), "default"
        self.tracker = Tracker("image", lambda line: None)
        self.missing: set[str] = set()
        self.fetched: list[str] = []
        self.blobs = {digests.of(data): data for data in [*LAYERS, b"config"]}

    def blob(self, descriptor: Descriptor, feed: Feed | None = None) -> None:
        if descriptor.digest in self.missing:
            raise errors.Unavailable("registry: gone")
        self.fetched.append(descriptor.digest)
        feed = feed or Feed()
        feed.begin()
        with self.content.writer(descriptor.digest) as writer:
            writer.write(self.blobs[descriptor.digest])
            feed.write(self.blobs[descriptor.digest])
            writer.commit()


class Deaf(Differ):
    """Knows no media type."""

    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: dict[str, bytes] | None = None,
    ) -> Descriptor:
        raise errors.Unimplemented("deaf: not implemented")

    def compare(self, lower, upper, content, **more):
        raise errors.Unimplemented("deaf: not implemented")


@dataclass
class Bench:
    shelf: Shelf
    snapshots: RebasingSnapshotter
    downloads: ThreadPoolExecutor

    def unpacker(self, *differs: Differ, parallel: bool = False) -> Unpacker:
        places = Places(2) if parallel else None
        return Unpacker(
            self.snapshots,
            differs or (TarDiffer(),),
            self.shelf.content,
            self.shelf,
            self.downloads,
            places,  # type: ignore[arg-type]
        )

    def top(self, stack: Stack) -> dict[str, bytes]:
        root = self.snapshots.folders[stack.layers[-1].chain_id]
        return {file.name: file.read_bytes() for file in root.iterdir()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    content = MemoryStore()
    with content.writer("config") as writer:
        writer.write(b"config")
        writer.commit()
    with ThreadPoolExecutor(3) as downloads:
        yield Bench(Shelf(content), RebasingSnapshotter(tmp_path / "snapshots"), downloads)


def stack(*, diff_ids: Sequence[str] | None = None) -> Stack:
    layers = tuple(Descriptor(OCI_LAYER_GZIP, digests.of(data), len(data)) for data in LAYERS)
    config = Descriptor(OCI_CONFIG, digests.of(b"config"), 6)
    ids = tuple(diff_ids or [digests.of(tar) for tar in TARS])
    return plan(Manifest(config, layers), Config(Platform("linux", "amd64"), ids), "overlayfs")


ALL = {"f0": b"", "f1": b"x", "f2": b"xx", "same": b"2"}


@pytest.mark.parametrize("parallel", [False, True])
class TestAnyOrder:
    def test_layers_are_laid_upon_each_other(self, bench: Bench, parallel: bool) -> None:
        bench.unpacker(parallel=parallel).run(stack())
        assert bench.top(stack()) == ALL
        assert len(bench.snapshots.infos) == 3

    def test_layers_that_are_there_are_not_fetched(self, bench: Bench, parallel: bool) -> None:
        bench.unpacker(parallel=parallel).run(stack())
        bench.snapshots.remove(stack().layers[2].chain_id)
        bench.shelf.content.delete(digests.of(LAYERS[2]))
        bench.shelf.fetched.clear()
        bench.unpacker(parallel=parallel).run(stack())
        assert bench.shelf.fetched == [digests.of(LAYERS[2])]
        assert bench.top(stack()) == ALL

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_a_layer_that_cannot_be_fetched_leaves_no_half_snapshot(
        self, bench: Bench, parallel: bool, which: int
    ) -> None:
        bench.shelf.missing = {digests.of(LAYERS[which])}
        with pytest.raises(errors.Unavailable, match="gone"):
            bench.unpacker(parallel=parallel).run(stack())
        chain = [layer.chain_id for layer in stack().layers]
        assert sorted(bench.snapshots.infos) == sorted(chain[:which])

    @pytest.mark.parametrize("which", [0, 1, 2])
    def test_a_wrong_diff_id_commits_nothing_above(self, bench: Bench, parallel: bool, which: int) -> None:
        ids = [digests.of(tar) for tar in TARS]
        ids[which] = digests.of(b"lie")
        lying = stack(diff_ids=ids)
        with pytest.raises(errors.DataLoss, match="diff id"):
            bench.unpacker(parallel=parallel).run(lying)
        assert sorted(bench.snapshots.infos) == sorted(layer.chain_id for layer in lying.layers[:which])

    def test_differs_are_tried_in_turn(self, bench: Bench, parallel: bool) -> None:
        second = TarDiffer()
        bench.unpacker(Deaf(), second, parallel=parallel).run(stack())
        assert (second.applied, second.streamed) == (3, 0)
        assert bench.top(stack()) == ALL

    def test_without_a_differ_that_knows_it_says_so(self, bench: Bench, parallel: bool) -> None:
        with pytest.raises(errors.Unimplemented, match="no differ can unpack it: deaf"):
            bench.unpacker(Deaf(), parallel=parallel).run(stack())
        assert bench.snapshots.infos == {}

    def test_a_snapshot_that_someone_else_committed_meanwhile_is_taken(
        self, bench: Bench, parallel: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit = RebasingSnapshotter.commit

        def twice(self, name, key, labels=None, parent="") -> None:
            commit(self, name, key, labels, parent)
            raise errors.AlreadyExists(name)

        monkeypatch.setattr(RebasingSnapshotter, "commit", twice)
        bench.unpacker(parallel=parallel).run(stack())
        assert bench.top(stack()) == ALL


def test_many_layers_are_not_many_unpackers(bench: Bench) -> None:
    """All are downloaded before the first is unpacked, yet no more than two unpackers are started by then."""
    opened: list[int] = []

    class Counting(TarDiffer):
        def open(self, media_type, mounts, *, sync=False):
            made = super().open(media_type, mounts, sync=sync)
            opened.append(sum(not application.closed for application in self.applications))
            return made

    unpacker = bench.unpacker(Counting(), parallel=True)
    unpacker.run(stack())
    assert max(opened) <= 2
    assert unpacker.unpacking is not None
    assert [unpacker.unpacking.try_take() for _ in range(3)] == [True, True, False]
    assert bench.top(stack()) == ALL


def test_a_snapshotter_that_brings_the_layer_itself_needs_no_download(bench: Bench) -> None:
    """The protocol of remote snapshotters: prepare says "already exists" and the committed snapshot is there."""

    class Remote(RebasingSnapshotter):
        def prepare(self, key, parent="", labels=None):
            name = (labels or {})["containerd.io/snapshot.ref"]
            if name not in self.infos:
                super().prepare("remote", parent)
                self.commit(name, "remote", labels)
            raise errors.AlreadyExists(name)

    bench.snapshots = Remote(bench.snapshots.root)
    bench.unpacker().run(stack())
    assert bench.shelf.fetched == []
    assert len(bench.snapshots.infos) == 3


def test_a_snapshotter_that_only_says_so_is_unavailable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def liar(*_: object, **__: object) -> tuple[Mount, ...]:
        raise errors.AlreadyExists("x")

    monkeypatch.setattr(bench.snapshots, "prepare", liar)
    with pytest.raises(errors.Unavailable, match="cannot be prepared and is not there"):
        bench.unpacker().run(stack())


def test_what_was_spoilt_is_unpacked_again_from_the_store(bench: Bench) -> None:
    fetch = bench.shelf.blob

    def spoiling(descriptor: Descriptor, feed: Feed | None = None) -> None:
        assert feed is not None
        feed.begin()
        feed.write(b"rubbish")
        feed.spoil()
        fetch(descriptor)

    bench.shelf.blob = spoiling  # type: ignore[method-assign]
    differ = TarDiffer()
    bench.unpacker(differ).run(stack())
    assert bench.top(stack()) == ALL
    assert (differ.streamed, differ.applied) == (0, 3)
    assert all(application.closed for application in differ.applications)
