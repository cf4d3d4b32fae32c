"""What the kernel remembers of each plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage_sdk.slots import Plugin, Status

OK, SKIP, FAILED, DISABLED = "ok", "skip", "failed", "disabled"
"""The states of ``moorage_sdk.slots.Status``."""

PENDING = "pending"
"""Chosen, but not made yet. Shown to the outside as skipped."""


@dataclass
class Record:
    """One plugin. ``plugin`` is None as long as it is not imported, and stays so for a disabled one."""

    uri: str
    slot: str
    id: str
    distribution: str = ""
    state: str = PENDING
    reason: str = ""
    plugin: Plugin[Any, Any] | None = None
    config: Any = None
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The top-level tables that the plugin reads, defaults included."""
    instance: Any = None
    exports: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    closers: list[Callable[[], None]] = field(default_factory=list)

    def fail(self, reason: str) -> None:
        self.state, self.reason, self.instance = FAILED, reason, None

    @property
    def verdict(self) -> str:
        """For messages: ``plugin "io.containerd.gc.v1.scheduler": failed: no such file``."""
        return f'plugin "{self.uri}": {self.state}' + (f": {self.reason}" if self.reason else "")

    @property
    def type(self) -> str:
        return self.plugin.slot.type if self.plugin else self.uri.removesuffix(f".{self.id}")

    def status(self) -> Status:
        requires = tuple(slot.type for slot in self.plugin.requires) if self.plugin else ()
        state, reason = (SKIP, "not started yet") if self.state == PENDING else (self.state, self.reason)
        return Status(
            self.uri,
            state,
            reason,
            requires,
            self.distribution,
            dict(self.exports),
            tuple(self.capabilities),
            tuple(self.platforms),
        )
