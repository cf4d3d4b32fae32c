"""Copies of the store, made while it is in use.

A copy is a whole store file: stop the daemon, put it in the place of ``data.mdb``, start. Nothing is ever restored by
itself, for a collection over rows of yesterday would remove what was made today.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from moorage_kv import Store

_log = logging.getLogger(__name__)


class Backups:
    """Keeps the newest ``keep`` copies of ``store`` in ``folder``. ``interval`` is in seconds."""

    def __init__(self, store: Store, folder: Path, interval: float, keep: int) -> None:
        self._store = store
        self._folder = folder
        self._interval = interval
        self._keep = keep
        self._stop = threading.Event()
        self._copied = store.stats().last_txn
        folder.mkdir(mode=0o700, exist_ok=True)
        self._thread = threading.Thread(target=self._run, name="metadata-backups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; called before the store is closed."""
        self._stop.set()
        self._thread.join()

    def copy(self) -> None:
        """Make a copy now and remove those that are too many."""
        changed = self._store.stats().last_txn
        self._store.copy(self._folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.mdb")
        self._copied = changed
        for old in copies(self._folder)[: -self._keep]:
            old.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            if self._store.stats().last_txn != self._copied:
                self._attempt(self.copy)

    def _attempt(self, copy: Callable[[], None]) -> None:
        try:
            copy()
        except Exception as error:  # noqa: BLE001 - a full disk must not end the copies of better days
            _log.warning("metadata not copied: %s", error)


def copies(folder: Path) -> list[Path]:
    """The copies in ``folder``, oldest first."""
    return sorted(folder.glob("*.mdb"))
