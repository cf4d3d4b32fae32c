"""The daemon's directories: all that it wants or none, and nobody else's while it lives."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from moorage_core import directories
from moorage_core.locks import Lock
from moorage_core.settings import Settings
from moorage_sdk import errors

ROOT, STATE, TEMP = 0o700, 0o711, 0o700


class Premises:
    """Root and state, locked, and the directory of temporary files, until ``release`` or ``withdraw``."""

    def __init__(self, settings: Settings) -> None:
        """Raises as ``directories.exact`` and ``Lock`` do; then nothing is left of what it made."""
        locked = [("root", settings.root, ROOT), ("state", settings.state, STATE)]
        temporary = [("temp", Path(settings.top.temp), TEMP)] if settings.top.temp else []
        self._made: list[Path] = []
        self._locks: list[Lock] = []
        try:
            # Whatever may be refused comes before the first lock, which is a file and would stay.
            for _, path, mode in [*locked, *temporary]:
                self._made += directories.missing(path)
                directories.exact(path, mode)
            self._lock([(what, path) for what, path, _ in locked])
        except errors.Error:
            self.withdraw()
            raise

    def release(self) -> None:
        """Let others have them. Calling it again does nothing."""
        for lock in self._locks:
            lock.release()

    def withdraw(self) -> None:
        """Release, and take away again what was not there before, for a start that goes no further.

        What somebody has put something into meanwhile stays.
        """
        for lock in self._locks:
            if lock.directory in self._made:
                lock.remove()
            lock.release()
        for path in reversed(self._made):
            with suppress(OSError):
                path.rmdir()

    def _lock(self, wanted: Sequence[tuple[str, Path]]) -> None:
        for what, path in wanted:
            self._locks.append(Lock(path, what))
