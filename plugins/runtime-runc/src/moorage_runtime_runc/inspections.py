"""Old runtimes are found out before they carry anything: the daemon warns of them, or refuses.

Each is asked for its version once, and not in the way of a container unless the answer may refuse it.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from moorage_runtime_runc import advisories
from moorage_runtime_runc.advisories import Version
from moorage_sdk import errors

if TYPE_CHECKING:
    from moorage_sdk.events import Payload

log = logging.getLogger(__name__)

WARN, REFUSE, IGNORE = "warn", "refuse", "ignore"
POLICIES = (WARN, REFUSE, IGNORE)

_PATIENCE = 10.0
"""Seconds that a runtime may take to say its version."""

Warn = Callable[[str, str], None]
"""Told an id and a message."""


class Inspector:
    """Knows the runtimes that were looked at. One that was refused is looked at again: it may have been replaced."""

    def __init__(self, policy: str, warn: Warn, binary: str = "runc") -> None:
        self._policy = policy
        self._binary = binary
        self._warn = warn
        self._seen: set[str] = set()
        self._looking: set[asyncio.Task[None]] = set()

    async def inspect(self, options: Payload | None) -> None:
        """Look at the runtime that ``options`` choose. Raises errors.FailedPrecondition for one that is refused."""
        if self._policy == IGNORE:
            return
        binary = _binary(options) or self._binary
        if binary in self._seen:
            return
        self._seen.add(binary)
        if self._policy == REFUSE:
            await self._refuse(binary)
            return
        task = asyncio.create_task(self._look(binary))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, binary: str) -> None:
        found = await self._ask(binary)
        if found is not None and found.missing:
            self._warn(f"old-runtime-{found.name}", message(found))

    async def _refuse(self, binary: str) -> None:
        found = await self._ask(binary)
        if found is not None and found.missing:
            self._seen.discard(binary)
            hint = 'old_runtime = "warn" lets it through'
            raise errors.FailedPrecondition(f'runtime "{binary}": {message(found)}: failed precondition', hint=hint)

    async def _ask(self, binary: str) -> Version | None:
        try:
            return await asyncio.to_thread(ask, binary)
        except (OSError, subprocess.TimeoutExpired) as error:
            self._seen.discard(binary)  # whoever calls it to create something says what is wrong
            log.info('runtime "%s": version not known: %s', binary, error)
            return None


def ask(binary: str) -> Version | None:
    """The version of a runtime, in PATH or by its path; None for what is neither runc nor crun.

    Raises OSError, subprocess.TimeoutExpired.
    """
    command = [binary, "--version"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False)
    return advisories.read(done.stdout.decode("utf-8", "replace"))


def message(version: Version) -> str:
    """What is wrong with an old version, and what to do about it."""
    faults = ", ".join(version.missing)
    if version.patched:
        return f"{version.name} {version.text} is older than the fixes of {faults}; its distribution may have them"
    return f"{version.name} {version.text} lets containers out ({faults}): install a newer one"


def _binary(options: Payload | None) -> str:
    if options is None or not options.value:
        return ""
    from moorage_runtime_runc import options as told  # half the monitor's code, which many clients never need here

    return told.told(options, "binary_name", "BinaryName")
