"""What ``make`` of a plugin gets, without a kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from moorage_sdk import errors
from moorage_sdk.slots import Daemon, Slot, Status

T = TypeVar("T")


@dataclass
class Context:
    """``plugins`` are the implementations by slot name and id; what a plugin exports and registers can be looked at."""

    folder: Path
    uri: str = "io.containerd.test.v1.test"
    plugins: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self._made("root") / self.uri

    @property
    def state(self) -> Path:
        return self._made("state") / self.uri

    @property
    def daemon(self) -> Daemon:
        return Daemon(self.folder / "root", self.folder / "state", "0.1.0", "mooraged")

    def one(self, slot: Slot[T]) -> T:
        found = list(self.all(slot).values())
        if len(found) != 1:
            raise errors.FailedPrecondition(f'slot "{slot.name}": {len(found)} plugins: failed precondition')
        return found[0]

    def get(self, slot: Slot[T], id: str) -> T:
        if id not in self.all(slot):
            raise errors.NotFound(f'plugin "{slot.type}.{id}": not found')
        return self.all(slot)[id]

    def all(self, slot: Slot[T]) -> Mapping[str, T]:
        return self.plugins.get(slot.name, {})

    def table(self, uri: str) -> Mapping[str, Any]:
        return self.tables.get(uri, {})

    def statuses(self) -> tuple[Status, ...]:
        return ()

    def export(self, key: str, value: str) -> None:
        self.exports[key] = value

    def capability(self, name: str) -> None:
        self.capabilities.append(name)

    def platform(self, specifier: str) -> None:
        self.platforms.append(specifier)

    def on_close(self, close: Callable[[], None]) -> None:
        self.closers.append(close)

    def close(self) -> None:
        """What the daemon does when it stops."""
        while self.closers:
            self.closers.pop()()

    def _made(self, part: str) -> Path:
        folder = self.folder / part
        (folder / self.uri).mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
