"""Shims that a binary starts: any runtime that no plugin serves (the shim v2 contract, docs/runtime-v2.md)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moorage_api.messages import shim_v3
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim import bootstraps
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.conversations import LONGEST, converse

log = logging.getLogger(__name__)

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_", "LISTEN_", "MOORAGE_", "MALLOC_")
"""Beginnings of the names of variables that are for the daemon alone; everything else is the operator's, for shims too,
as in containerd."""

_MAX_OUTPUT = 4096
"""Bytes of it that are shown to people."""

Versions = dict[tuple[Path, int, int], str]
"""What binaries said to ``-v``, by path, inode and time of change."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds, with the defaults of ``[timeouts]``. ``start`` has no name there: the caller's patience counts."""

    start: float = 30.0
    load: float = 5.0
    cleanup: float = 5.0
    shutdown: float = 3.0
    state: float = 2.0


@dataclass
class Binary:
    """The calls of one shim binary. Every one is a process of its own that ends."""

    path: Path
    daemon: Daemon
    env: Sequence[str] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    protobuf_shims: Sequence[str] = ()
    versions: Versions = field(default_factory=dict)

    async def start(self, bundle: Bundle, options: Payload | None) -> Endpoint:
        """Start a shim for the bundle, or learn which one takes it. Raises errors.Unavailable with its words."""
        told = bootstraps.legacy_parameters(options)
        if await self._wants_protobuf():
            told = bootstraps.parameters(bundle, self.daemon, options, _logged())
        output = await self._run([*self._flags(bundle), "start"], told, bundle.path, self.timeouts.start, bundle)
        return bootstraps.answer(output)

    async def delete(self, bundle: Bundle) -> shim_v3.DeleteResponse:
        """Kill and remove what a dead shim left. Raises as ``start``."""
        arguments = [*self._flags(bundle), "-bundle", bundle.path, "delete"]
        return bootstraps.deletion(await self._run(arguments, b"", bundle.path, self.timeouts.cleanup, bundle))

    async def info(self, options: bytes) -> bytes:
        """RuntimeInfo, encoded; ``options`` an encoded Any."""
        return await self._run(["-info"], options, os.fspath(self.path.parent), self.timeouts.load)

    def _flags(self, bundle: Bundle) -> list[str]:
        """The command line of pkg/shim/util.go (Command)."""
        flags = ["-namespace", bundle.namespace, "-address", self.daemon.grpc_address]
        flags += ["-publish-binary", self.daemon.binary, "-id", bundle.id]
        return [*flags, "-debug"] if _logged() <= logging.DEBUG else flags

    async def _wants_protobuf(self) -> bool:
        """Whether it is told by BootstrapParams. Asked of one that might, and only once: it is a process each time."""
        if self.path.name in self.protobuf_shims or self.path.name not in bootstraps.PROTOBUF_SINCE:
            return self.path.name in self.protobuf_shims
        try:
            found = self.path.stat()
        except OSError:
            return False  # which is told when it is run
        key = self.path, found.st_ino, found.st_mtime_ns
        if key not in self.versions:
            said = await self._run(["-v"], b"", os.fspath(self.path.parent), self.timeouts.load, check=False)
            self.versions[key] = said[:_MAX_OUTPUT].decode("utf-8", "replace")
        return bootstraps.wants_protobuf(self.path.name, self.versions[key])

    def _environment(self, bundle: Bundle | None) -> Mapping[str, str]:
        known = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        known |= {"GOMAXPROCS": "2", "MAX_SHIM_VERSION": "2"}
        known |= {"TTRPC_ADDRESS": self.daemon.ttrpc_address, "GRPC_ADDRESS": self.daemon.grpc_address}
        if bundle:
            known["NAMESPACE"] = bundle.namespace
        return known | dict(each.partition("=")[::2] for each in self.env)

    async def _run(
        self,
        arguments: list[str],
        told: bytes,
        folder: str,
        timeout: float,
        bundle: Bundle | None = None,
        *,
        check: bool = True,
    ) -> bytes:
        try:
            said = await converse(
                self.path, arguments, told, folder=folder, env=self._environment(bundle), timeout=timeout
            )
        except OverflowError as error:
            raise errors.Unavailable(f'shim "{self.path}": answer is longer than {LONGEST} bytes') from error
        except TimeoutError as error:
            raise errors.Unavailable(f'shim "{self.path}": no answer within {timeout:g} s: unavailable') from error
        except OSError as error:
            raise errors.Unavailable(f'shim "{self.path}": cannot run: {error.strerror}: unavailable') from error
        if check and said.status:
            shown = (said.complaint or said.output)[-_MAX_OUTPUT:].decode("utf-8", "replace").strip()
            raise errors.Unavailable(f'shim "{self.path}": exit status {said.status}: {shown}')
        return said.output


def _logged() -> int:
    """The level of the daemon's log."""
    return logging.getLogger().getEffectiveLevel()
