"""Who carries the tasks of a runtime name: a plugin of the slot ``runtime``, or a shim's binary.

Both are used alike by the manager: start, find again, clear up.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

from moorage_api.convert import timestamps
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint, Runtime
from moorage_sdk.tasks import Bundle, Exit
from moorage_tasks_shim import names
from moorage_tasks_shim.binaries import Binary
from moorage_tasks_shim.presets import Presets
from moorage_tasks_shim.records import Record

UNKNOWN_STATUS = 255
"""The exit status that nobody could know (UnknownExitStatus in core/runtime/v2), and the highest there is."""


class Carrier(ABC):
    binary = ""
    """The path to remember for the next daemon."""
    program = ""
    """The path of the shim's program as ``shim-binary-path`` tells it, also where a plugin starts the shim."""
    lodges = False
    """Whether its shim is a sandbox's, and there before the task."""
    patient = False
    """Whether a shim that cannot be reached is looked for again, because the carrier brings it back."""

    @abstractmethod
    async def start(self, bundle: Bundle, options: Payload | None) -> Endpoint:
        """Raises errors.Unavailable with the reason."""

    @abstractmethod
    async def find(self, bundle: Bundle, record: Record) -> Endpoint | None:
        """The shim of a task of an earlier daemon, None when it is known to be gone."""

    @abstractmethod
    async def cleanup(self, bundle: Bundle) -> Exit:
        """Kill and remove what a dead shim left; how init ended, as far as can be told. Raises errors.Error."""


class PluginCarrier(Carrier):
    patient = True

    def __init__(self, runtime: Runtime) -> None:
        self.names = runtime.names
        self.program = str(next(filter(None, map(names.beside, runtime.names)), ""))
        self._runtime = runtime

    async def start(self, bundle: Bundle, options: Payload | None) -> Endpoint:
        return await self._runtime.start(bundle, options)

    async def find(self, bundle: Bundle, record: Record) -> Endpoint | None:
        return await self._runtime.find(bundle)

    async def cleanup(self, bundle: Bundle) -> Exit:
        await self._runtime.cleanup(bundle)
        return Exit(UNKNOWN_STATUS, time.time_ns(), id=bundle.id)


class BinaryCarrier(Carrier):
    def __init__(self, binary: Binary) -> None:
        self._binary = binary
        self.binary = self.program = str(binary.path)

    async def start(self, bundle: Bundle, options: Payload | None) -> Endpoint:
        return await self._binary.start(bundle, options)

    async def find(self, bundle: Bundle, record: Record) -> Endpoint | None:
        return record.endpoint

    async def cleanup(self, bundle: Bundle) -> Exit:
        said = await self._binary.delete(bundle)
        at = timestamps.from_message(said.exited_at) or time.time_ns()
        return Exit(min(said.exit_status, UNKNOWN_STATUS), at, said.pid, bundle.id)


class Lodging(Carrier):
    """The shim of a sandbox, that its ``owner`` looks after. Without one nothing can be done once it is dead."""

    lodges = True

    def __init__(self, endpoint: Endpoint, owner: Carrier | None = None) -> None:
        self._endpoint = endpoint
        self._owner = owner
        if owner is not None:
            self.binary, self.program = owner.binary, owner.program

    async def start(self, bundle: Bundle, options: Payload | None) -> Endpoint:
        return self._endpoint

    async def find(self, bundle: Bundle, record: Record) -> Endpoint | None:
        return self._endpoint

    async def cleanup(self, bundle: Bundle) -> Exit:
        if self._owner is not None:
            return await self._owner.cleanup(bundle)
        return Exit(UNKNOWN_STATUS, time.time_ns(), id=bundle.id)


class Carriers:
    """Plugins by the runtime names that they serve; ``make`` is how a binary is called."""

    def __init__(
        self, runtimes: Mapping[str, Runtime], make: Callable[[Path], Binary], presets: Presets | None = None
    ) -> None:
        self.presets = presets or Presets({})
        self._plugins: dict[str, PluginCarrier] = {}
        for runtime in runtimes.values():
            carrier = PluginCarrier(runtime)
            for name in runtime.names:
                self._plugins.setdefault(name, carrier)
        self._make = make

    def choose(self, runtime: str) -> Carrier:
        """Raises errors.InvalidArgument for no name, errors.NotFound when nothing serves it."""
        if not runtime:
            raise errors.InvalidArgument("runtime: no name: invalid argument")
        return self._plugins.get(runtime) or BinaryCarrier(self._make(self._program(runtime)))

    def remembered(self, record: Record) -> Carrier:
        """The carrier of an earlier daemon's: its binary, wherever the name leads today."""
        binary = BinaryCarrier(self._make(Path(record.binary))) if record.binary else None
        if record.sandbox and record.endpoint:
            return Lodging(record.endpoint, binary)
        return binary or self.choose(record.runtime)

    def binary(self, runtime: str) -> Binary:
        """The binary to ask about a runtime: that of its name, or what came with the plugin that serves the name.

        Raises as ``choose``.
        """
        carrier = self._plugins.get(runtime)
        return self._make(Path(carrier.program) if carrier and carrier.program else self._program(runtime))

    def _program(self, runtime: str) -> Path:
        return names.resolve(self.presets.program(runtime))
