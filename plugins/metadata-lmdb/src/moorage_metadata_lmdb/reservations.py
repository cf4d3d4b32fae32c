"""Names that somebody works on right now."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from moorage_sdk import errors


class Reservations:
    """One holder per name. ``take`` refuses at once, ``waiting`` waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[tuple[str, ...], float] = {}

    def take(self, *name: str) -> None:
        """Reserve ``name`` until ``free``.

        Raises:
            errors.Unavailable: somebody has it; the message says since when (``plugins/content/local/locks.go``).
        """
        with self._changed:
            if (since := self._held.get(name)) is not None:
                age = time.time() - since
                moment = datetime.fromtimestamp(since, UTC).isoformat(timespec="milliseconds")
                raise errors.Unavailable(f"ref {name[-1]} locked for {age:.3f}s (since {moment}): unavailable")
            self._held[name] = time.time()

    def free(self, *name: str) -> None:
        """Give ``name`` back."""
        with self._changed:
            del self._held[name]
            self._changed.notify_all()

    def __contains__(self, name: tuple[str, ...]) -> bool:
        with self._changed:
            return name in self._held

    @contextlib.contextmanager
    def waiting(self, *name: str) -> Iterator[None]:
        """Hold ``name``, after whoever has it."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._held)
            self._held[name] = time.time()
        try:
            yield
        finally:
            self.free(*name)
