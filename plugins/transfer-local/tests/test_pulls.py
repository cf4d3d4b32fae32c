"""Pulls from a real registry, through a proxy that misbehaves where the test says so."""

from __future__ import annotations

from moorage_sdk import platforms
from moorage_sdk.transfers import Pull, Unpack
from moorage_testkit.images import LAYERED, Layout
from moorage_testkit.registries import Registry

HOST = Unpack(platforms.host())


def test_an_image_is_fetched_unpacked_and_named(world, registry: Registry, layout: Layout) -> None:
    reference = f"{registry.address}/test/layered:latest"
    image = world.pull(Pull(reference, unpacks=(HOST,), labels={"a": "b"}))
    assert image.name == reference
    assert image.target == layout.tags["layered"]
    assert world.view.images.get(reference).labels == {"a": "b"}
    top = max(world.snapshots.infos.values(), key=lambda info: info.created_at)
    root = world.snapshots.folders[top.name]
    assert {name: (root / name).read_bytes() for name in LAYERED} == LAYERED
    assert not any((root / name).exists() for name in ("etc/gone", "srv/gone", "opt/old"))
    assert world.differ.streamed >= 1
    assert world.view.leases.list() == []
