"""What is decided for all transfers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_CONFIG, Descriptor
from moorage_testkit.fakes.differs import TarDiffer
from moorage_transfer_local.flights import Places
from moorage_transfer_local.options import Options
from moorage_transfer_local.stacks import Stack
from moorage_transfer_local.unpacks import Blobs, Unpacker

PLACES = Places(2)


class Confined(TarDiffer):
    """A differ that must know on whose behalf it works."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__()
        self.namespace = namespace

    def within(self, namespace: str) -> Confined:
        return Confined(namespace)


def unpacker(world: Any, options: Options) -> Unpacker:
    stack = Stack("overlayfs", Descriptor(OCI_CONFIG, "sha256:" + "a" * 64, 2), ())
    with ThreadPoolExecutor(1) as pool:
        return options.unpacker(world.view, stack, cast(Blobs, None), pool, PLACES)


def test_differs_are_those_of_the_snapshotter_and_know_the_namespace(world: Any) -> None:
    asked: list[str] = []
    plain = TarDiffer()

    def differs(name: str) -> list[TarDiffer]:
        asked.append(name)
        return [Confined(), plain]

    found = unpacker(world, Options(differs=differs))
    assert asked == ["overlayfs"]
    assert cast(Confined, found.differs[0]).namespace == "default"
    assert found.differs[1] is plain


def test_without_a_differ_nothing_is_begun(world: Any) -> None:
    with pytest.raises(errors.FailedPrecondition, match='snapshotter "overlayfs": no differ works'):
        unpacker(world, Options())


@pytest.mark.parametrize("rebases", [True, False])
def test_several_layers_at_once_only_where_parents_come_at_commit(world: Any, rebases: bool) -> None:
    options = Options(differs=lambda name: [TarDiffer()], rebases=lambda name: rebases and name == "overlayfs")
    assert unpacker(world, options).unpacking is (PLACES if rebases else None)
