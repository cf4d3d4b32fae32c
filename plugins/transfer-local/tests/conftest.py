"""What the tests of pulls share: a registry with images, a view in memory, and a transfer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from moorage_sdk import errors
from moorage_sdk.images import Image
from moorage_sdk.transfers import Progress, Pull, Push
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.fakes.differs import TarDiffer
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.rebasing import RebasingSnapshotter
from moorage_testkit.images import LAYERED, Layout, layered, multi_platform, push
from moorage_testkit.registries import Proxy, Registry, available
from moorage_transfer_local.options import Options
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transfers import LocalTransfer
from moorage_transfer_local.transports import Timeouts

QUICK = Settings(Timeouts(5.0, 20.0), Policy(base=0.01, cap=0.05, longest=0.2))
"""Patience for tests: the same decisions, less waiting."""


@dataclass
class World:
    """A daemon's inside, as far as pulls see it."""

    root: Path
    options: dict[str, object] = field(default_factory=dict)
    lines: list[Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.snapshots = RebasingSnapshotter(self.root / "snapshots")
        self.differ = TarDiffer()
        self.metadata = MemoryMetadata({"overlayfs": self.snapshots})
        self.view = self.metadata.view("default")
        self.content = cast(MemoryStore, self.view.content)
        self.transfer = self.make()

    def make(self, **options: object) -> LocalTransfer:
        chosen = {"settings": QUICK, "differs": lambda name: [self.differ], **self.options, **options}
        return LocalTransfer(self.metadata.view, Options(**chosen))  # type: ignore[arg-type]

    def pull(self, pull: Pull) -> Image:
        return self.transfer.pull(self.view, pull, self.lines.append)

    def push(self, push: Push) -> Image:
        return self.transfer.push(self.view, push, self.lines.append)

    def hold(self, layout: Layout, tag: str, name: str, labels: Mapping[str, str] | None = None) -> Image:
        """Put an image of a layout into the store, with all that belongs to it."""
        for file in (layout.path / "blobs" / "sha256").iterdir():
            digest = f"sha256:{file.name}"
            with contextlib.suppress(errors.AlreadyExists), self.content.writer(digest, expected=digest) as writer:
                writer.write(file.read_bytes())
                writer.commit(expected=digest, labels=labels)
        return self.view.images.create(Image(name, layout.tags[tag]))

    def tops(self) -> list[str]:
        """Snapshots on which no other lies."""
        parents = {info.parent for info in self.snapshots.infos.values()}
        return [name for name in self.snapshots.infos if name not in parents]

    def assert_layered(self) -> None:
        """The image ``layered`` or ``big`` is there, unpacked, and nothing else."""
        [top] = self.tops()
        root = self.snapshots.folders[top]
        assert {name: (root / name).read_bytes() for name in LAYERED} == LAYERED
        assert not any((root / name).exists() for name in ("etc/gone", "srv/gone", "opt/old"))

    def assert_nothing_named(self) -> None:
        """A failed pull leaves no image, no lease and no half snapshot."""
        assert self.view.images.list() == []
        assert self.view.leases.list() == []
        assert not [name for name in self.snapshots.infos if name.startswith("extract-")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def worlds(tmp_path: Path) -> Callable[..., World]:
    """Makes worlds with options of their own."""
    made = iter(range(100))
    return lambda **options: World(tmp_path / f"world-{next(made)}", options)


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Images: ``layered``, ``big`` (the same with 300 KiB in every layer), ``multi`` (an index)."""
    layout = Layout(tmp_path_factory.mktemp("images") / "layout")
    layout.tag("layered", layered(layout))
    layout.tag("big", layered(layout, payload=300_000))
    layout.tag("multi", multi_platform(layout))
    return layout


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[Registry]:
    if not available():
        pytest.skip("docker-registry, skopeo or openssl is not installed")
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        for tag in layout.tags:
            push(layout, tag, f"{running.address}/test/{tag}:latest")
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry of the test's own."""
    if not available():
        pytest.skip("docker-registry, skopeo or openssl is not installed")
    with Registry(tmp_path / "store") as running:
        yield running


@pytest.fixture
def gate(store: Registry) -> Iterator[Proxy]:
    """Before ``store``."""
    with Proxy(store.address) as running:
        yield running


@pytest.fixture
def proxy(registry: Registry) -> Iterator[Proxy]:
    with Proxy(registry.address) as running:
        yield running


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """For stalls; set at the end, so that no thread of a proxy outlives its test for long."""
    event = threading.Event()
    yield event
    event.set()
