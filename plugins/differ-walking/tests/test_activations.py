"""Layers on mounts that have to be activated first."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from moorage_differ_walking.activations import ActivatingDiffer
from moorage_differ_walking.differs import WalkingDiffer
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_sdk.differs import StreamApplier
from moorage_sdk.mounts import Mount
from moorage_testkit import images
from moorage_testkit.fakes.activations import MemoryMountManager
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.blobs import put

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="unpacking needs root")
CHAIN = (Mount("loop", "/disk"), Mount("format/bind", "{{ mount 0 }}", ("rbind",)))


class Lender(MemoryMountManager):
    """Lends the folder ``place``."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.place = place
        self.out = 0
        self.asked_for: list[tuple[Mount, ...]] = []

    @contextmanager
    def lent(self, mounts: Sequence[Mount]) -> Iterator[tuple[Mount, ...]]:
        self.asked_for.append(tuple(mounts))
        self.out += 1
        try:
            yield (Mount("bind", str(self.place), ("rbind", "rw")),)
        finally:
            self.out -= 1


@pytest.fixture
def lender(tmp_path: Path) -> Lender:
    (tmp_path / "place").mkdir()
    return Lender(tmp_path / "place")


@pytest.fixture
def differ(tmp_path: Path, lender: Lender) -> ActivatingDiffer:
    return ActivatingDiffer(WalkingDiffer(tmp_path / "workspace"), lender)


def layer() -> bytes:
    return images.layer([images.File("file", b"hello")])


def test_layers_are_unpacked_onto_what_is_lent(differ: ActivatingDiffer, lender: Lender) -> None:
    store, data = MemoryStore(), layer()
    applied = differ.apply(Descriptor(OCI_LAYER, put(store, data), len(data)), CHAIN, store)
    assert applied.size == len(data)
    assert (lender.place / "file").read_bytes() == b"hello"
    assert (lender.asked_for, lender.out) == ([CHAIN], 0)


def test_what_is_lent_for_a_layer_that_arrives_goes_back_with_it(differ: ActivatingDiffer, lender: Lender) -> None:
    assert isinstance(differ, StreamApplier)
    with differ.open(OCI_LAYER, CHAIN) as application:
        application.write(layer())
        assert lender.out == 1
        application.finish()
        application.close()
        assert lender.out == 0
    assert lender.out == 0
    assert (lender.place / "file").read_bytes() == b"hello"


def test_comparing(differ: ActivatingDiffer, lender: Lender, tmp_path: Path) -> None:
    store = MemoryStore()
    (lender.place / "file").write_text("hello")
    differ.compare((Mount("bind", str(tmp_path)),), CHAIN, store)
    assert len(lender.asked_for) == 2
    assert lender.out == 0


def test_a_failure_gives_back_what_is_lent(differ: ActivatingDiffer, lender: Lender) -> None:
    store = MemoryStore()
    with pytest.raises(errors.NotFound):
        differ.apply(Descriptor(OCI_LAYER, "sha256:" + "0" * 64, 1), CHAIN, store)
    with pytest.raises(errors.Unimplemented):
        differ.open("application/x-unknown", CHAIN)
    with pytest.raises(errors.Unimplemented):
        differ.compare(CHAIN, CHAIN, store, media_type="application/x-unknown")
    assert lender.out == 0
