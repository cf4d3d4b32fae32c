"""Slots and plugins: the whole vocabulary of the kernel.

A complete plugin in one file::

    @dataclass(frozen=True)
    class Config:
        root_path: str = ""

    def make(ctx: InitContext, config: Config) -> Snapshotter:
        if not Path("/sys/fs/overlay").exists():
            raise Skip("the kernel has no overlay")
        return Overlay(Path(config.root_path) if config.root_path else ctx.root)

    plugin = Plugin(SNAPSHOTTER, "overlayfs", make, Config)

and in its ``pyproject.toml``::

    [project.entry-points."moorage.snapshotter"]
    overlayfs = "moorage_snapshotter_overlayfs.plugin:plugin"
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from moorage_sdk.tables import Table

T = TypeVar("T")
C = TypeVar("C")


@dataclass(frozen=True)
class Slot(Generic[T]):
    """A typed place that plugins fill.

    ``name`` gives the entry-point group ``moorage.<name>``, ``type`` the first part of a plugin's URI, in containerd's
    spelling (``io.containerd.snapshotter.v1``). ``T`` is the interface; it is a phantom type, so that mypy checks
    ``make`` and what ``InitContext`` hands out, while nothing is checked at run time but by the conformance suites.
    """

    name: str
    type: str

    @property
    def group(self) -> str:
        return f"moorage.{self.name}"


class Skip(Exception):
    """Raised by ``make``: this host does not need the plugin or cannot carry it. Not an error; the reason is shown."""


@dataclass(frozen=True)
class NoConfig:
    """The configuration of a plugin that has none."""


@dataclass(frozen=True)
class Daemon:
    """What a plugin may know of the process that it runs in. ``version`` is moorage's own."""

    root: Path
    state: Path
    version: str
    program: str


@dataclass(frozen=True)
class Status:
    """How one plugin fared: ``state`` is ``ok``, ``skip``, ``failed`` or ``disabled``; ``reason`` explains all but ok.

    The reason of a plugin that failed for another one names that one and repeats its reason, down to the first cause.
    ``requires`` are types of slots, ``platforms`` specifiers (``linux/arm64``); none for one that serves the host's.
    """

    uri: str
    state: str
    reason: str = ""
    requires: tuple[str, ...] = ()
    distribution: str = ""
    exports: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()


class InitContext(Protocol):
    """What ``make`` gets. Directories exist, mode 0700, and belong to this plugin alone."""

    @property
    def uri(self) -> str: ...
    @property
    def root(self) -> Path:
        """``<root>/<uri>``: for what must survive a reboot."""

    @property
    def state(self) -> Path:
        """``<state>/<uri>``: for what a reboot may take."""

    @property
    def daemon(self) -> Daemon: ...

    def one(self, slot: Slot[T]) -> T:
        """The only working plugin of a slot. Raises errors.FailedPrecondition when there is none or more than one."""

    def get(self, slot: Slot[T], id: str) -> T:
        """The working plugin ``id`` of a slot. Raises errors.NotFound with the reason of its absence."""

    def all(self, slot: Slot[T]) -> Mapping[str, T]:
        """All working plugins of a slot by id, possibly none: one that failed is simply not there."""

    def table(self, uri: str) -> Mapping[str, Any]:
        """The effective settings of any plugin, read only: its defaults under what the files and flags say.

        Also a top-level table by its name (``timeouts``, ``stream_processors``), with the defaults of those who
        declared it in ``Plugin.tables``.
        """

    def statuses(self) -> tuple[Status, ...]:
        """Every plugin known to the kernel, as of now. May be called at any time later, too."""

    def export(self, key: str, value: str) -> None:
        """Publish a fact in introspection (containerd's ``Exports``), such as a snapshotter's ``root``."""

    def capability(self, name: str) -> None:
        """Announce a capability in introspection (containerd's ``Capabilities``)."""

    def platform(self, specifier: str) -> None:
        """Announce a platform in introspection (containerd's ``Platforms``) in place of the host's."""

    def on_close(self, close: Callable[[], None]) -> None:
        """Call ``close`` when the daemon stops; the last registered runs first, before the plugins required."""


@dataclass(frozen=True)
class Plugin(Generic[T, C]):
    """One plugin: the object that an entry point names.

    ``requires`` lists the slots that ``make`` asks for; the kernel makes their plugins first. A cycle is an error of
    every plugin on it. ``uri_override`` is for the few places where containerd's name of the very same thing does not
    follow from slot and id (``io.containerd.content.v1.content``). ``tables`` are what it reads beside its own table.
    """

    slot: Slot[T]
    id: str
    make: Callable[[InitContext, C], T]
    config: type[C] = NoConfig  # type: ignore[assignment]  # C is NoConfig when left out
    requires: tuple[Slot[Any], ...] = ()
    uri_override: str = ""
    tables: tuple[Table[Any], ...] = ()

    @property
    def uri(self) -> str:
        return self.uri_override or f"{self.slot.type}.{self.id}"
