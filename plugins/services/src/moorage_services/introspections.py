"""``containerd.services.introspection.v1``: which plugins there are, how they fared, and who this daemon is."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from moorage_api.convert import errors as codes
from moorage_api.convert import payloads, timestamps
from moorage_api.convert import platforms as platform_messages
from moorage_api.messages import introspection, rpc_status
from moorage_sdk import errors, platforms
from moorage_sdk.deprecations import Deprecation, Deprecations
from moorage_sdk.events import Payload
from moorage_sdk.slots import Status
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool
from moorage_sys import files

PLATFORM_TYPES = frozenset(
    {
        "io.containerd.snapshotter.v1",
        "io.containerd.differ.v1",
        "io.containerd.runtime.v2",
        "io.containerd.monitor.task.v1",
        "io.containerd.mount-handler.v1",
        "io.containerd.cri.v1",
    }
)
"""Types whose plugins say which platform they serve; BuildKit takes its platforms from the runtime's."""

SKIPPED = "skip plugin"
"""How the message of a skipped plugin ends (ErrSkipPlugin of github.com/containerd/plugin); ``ctr`` looks for it."""

_URI = re.compile(r"(?P<type>.+\.v\d+)\.(?P<id>[^.].*)")


@runtime_checkable
class Informer(Protocol):
    """A task manager that can ask a runtime about itself (``<shim> -info``)."""

    async def info(self, options: Payload) -> Payload: ...


class IntrospectionService:
    """``statuses`` is asked for each call; ``informers`` are the plugins that know more, by URI."""

    name = "containerd.services.introspection.v1.Introspection"

    def __init__(
        self,
        identity: Path,
        statuses: Callable[[], tuple[Status, ...]],
        informers: Mapping[str, Any],
        deprecations: Deprecations,
        storage: Pool,
    ) -> None:
        self._identity = identity
        self._statuses = statuses
        self._informers = informers
        self._deprecations = deprecations
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {"Plugins": self.plugins, "Server": self.server, "PluginInfo": self.plugin_info}

    async def plugins(self, request: introspection.PluginsRequest, call: Call) -> introspection.PluginsResponse:
        return introspection.PluginsResponse(plugins=selected(self._plugins(), request.filters, _lookup))

    async def server(self, request: Any, call: Call) -> introspection.ServerResponse:
        return introspection.ServerResponse(
            uuid=await self._storage.run(identity, self._identity),
            pid=os.getpid(),
            pidns=Path("/proc/self/ns/pid").stat().st_ino,
            deprecations=map(_warning, self._deprecations.met()),
        )

    async def plugin_info(
        self, request: introspection.PluginInfoRequest, call: Call
    ) -> introspection.PluginInfoResponse:
        subject = f"plugin {request.type}.{request.id}"
        for plugin in self._plugins():
            if (plugin.type, plugin.id) == (request.type, request.id):
                break
        else:
            raise errors.NotFound(f"{subject} not found: not found")
        if not request.HasField("options"):
            return introspection.PluginInfoResponse(plugin=plugin)
        if plugin.HasField("init_err"):
            raise errors.FailedPrecondition(
                "cannot get extra info, plugin not successfully loaded: failed precondition"
            )
        informer = self._informers.get(f"{request.type}.{request.id}")
        if not isinstance(informer, Informer):
            raise errors.Unimplemented(f"{subject} does not provide extra information: not implemented")
        extra = await informer.info(payloads.from_message(request.options))
        return introspection.PluginInfoResponse(plugin=plugin, extra=payloads.to_message(extra))

    def _plugins(self) -> list[introspection.Plugin]:
        """Disabled plugins do not exist for clients, as in containerd."""
        return [to_message(status) for status in self._statuses() if status.state != "disabled"]


def identity(file: Path) -> str:
    """The daemon's UUID, made when it is first asked for. Raises errors.Internal when the file holds something else."""
    try:
        found = file.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        found = ""
    if found:
        try:
            return str(uuid.UUID(found))
        except ValueError as error:
            raise errors.Internal(f'identity file "{file}": not a UUID: internal') from error
    return _create(file)


def _create(file: Path) -> str:
    made = str(uuid.uuid4())
    files.replace(file, made.encode("ascii"), flush=True)
    return made


def to_message(status: Status) -> introspection.Plugin:
    type, id = _split(status.uri)
    failed = None if status.state == "ok" else _failure(status)
    served = [platforms.parse(each) for each in status.platforms]
    if not served and type in PLATFORM_TYPES:
        served = [platforms.host()]
    return introspection.Plugin(
        type=type,
        id=id,
        requires=status.requires,
        platforms=map(platform_messages.to_message, served),
        exports=status.exports,
        capabilities=status.capabilities,
        init_err=failed,
    )


def _failure(status: Status) -> rpc_status.Status:
    """The class of the first cause, which is at the end of the chain of reasons as it is at the end of Go's errors."""
    if status.state == "skip":
        return rpc_status.Status(code=codes.CODES[errors.Error], message=f"{status.reason}: {SKIPPED}")
    return rpc_status.Status(code=codes.code_of(status.reason), message=status.reason or status.state)


def _warning(met: Deprecation) -> introspection.DeprecationWarning:
    last = timestamps.to_message(met.last_at)
    return introspection.DeprecationWarning(id=met.id, message=met.message, last_occurrence=last)


def _split(uri: str) -> tuple[str, str]:
    match = _URI.fullmatch(uri)
    if match:
        return match["type"], match["id"]
    type, _, id = uri.rpartition(".")
    return type, id


def _lookup(plugin: introspection.Plugin) -> lookups.Lookup:
    return lookups.plugin(plugin.type, plugin.id)
