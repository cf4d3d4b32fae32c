"""The Introspection service: which plugins the daemon has, and how they fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import platforms
from moorage_api.messages import introspection
from moorage_client.calls import Caller
from moorage_sdk import errors
from moorage_sdk.platforms import Platform

SERVICE = "containerd.services.introspection.v1.Introspection"
SNAPSHOTTER = "io.containerd.snapshotter.v1"
METADATA = "io.containerd.metadata.v1"
DEFAULT = "default-snapshotter"
"""What mooraged's metadata plugin exports; a daemon without it leaves the choice to clients."""

PREFERRED = "overlayfs"
"""``defaults.DefaultSnapshotter`` of containerd on Linux."""

_SKIPPED = "skip plugin"
"""How the message of a skipped plugin ends (``ErrSkipPlugin`` in github.com/containerd/plugin)."""


@dataclass(frozen=True)
class Plugin:
    """``error`` is empty for a plugin that works, and the reason for one that failed or was skipped."""

    type: str
    id: str
    requires: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    exports: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    error: str = ""

    @property
    def uri(self) -> str:
        return f"{self.type}.{self.id}"

    @property
    def status(self) -> str:
        """``ok``, ``skip`` or ``error``, as ``ctr plugins ls`` prints it."""
        if not self.error:
            return "ok"
        return "skip" if self.error.endswith(_SKIPPED) else "error"


@dataclass(frozen=True)
class Server:
    """``uuid`` stays the same for the life of the daemon's root directory; ``pid`` is 0 from older daemons."""

    uuid: str
    pid: int = 0
    deprecations: tuple[str, ...] = ()


class Plugins:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def list(self, filters: Sequence[str] = ()) -> list[Plugin]:
        """All plugins, failed and skipped ones too. Raises errors.InvalidArgument for a filter."""
        answer = await self._caller.call(SERVICE, "Plugins", introspection.PluginsRequest(filters=filters))
        return [_value(message) for message in answer.plugins]

    async def snapshotter(self, wanted: str = "") -> str:
        """``wanted``, or where that is empty the daemon's default, overlayfs, or the first one that works.

        Raises errors.FailedPrecondition when there is none.
        """
        if wanted:
            return wanted
        listed = await self.list([f"type=={SNAPSHOTTER}", f"type=={METADATA}"])
        if default := next((plugin.exports[DEFAULT] for plugin in listed if plugin.exports.get(DEFAULT)), ""):
            return default
        working = sorted(plugin.id for plugin in listed if plugin.type == SNAPSHOTTER and plugin.status == "ok")
        if not working:
            raise errors.FailedPrecondition("snapshotter: none works", hint='"moorage plugins" tells why')
        return PREFERRED if PREFERRED in working else working[0]

    async def server(self) -> Server:
        answer = await self._caller.call(SERVICE, "Server", Empty())
        return Server(answer.uuid, answer.pid, tuple(warning.message for warning in answer.deprecations))


def _value(message: introspection.Plugin) -> Plugin:
    return Plugin(
        type=message.type,
        id=message.id,
        requires=tuple(message.requires),
        platforms=tuple(map(platforms.from_message, message.platforms)),
        exports=dict(message.exports),
        capabilities=tuple(message.capabilities),
        error=message.init_err.message if message.HasField("init_err") else "",
    )
