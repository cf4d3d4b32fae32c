"""One writer per reference."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from moorage_sdk import errors


class Locks:
    """References that are in use, and since when. Taking one never waits: clients retry."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._since: dict[str, tuple[float, datetime]] = {}

    def acquire(self, ref: str) -> None:
        """Raises errors.Unavailable with the age of the lock while somebody else has it."""
        with self._guard:
            if ref in self._since:
                began, clock = self._since[ref]
                age, since = time.monotonic() - began, clock.isoformat(timespec="milliseconds")
                raise errors.Unavailable(f'ref "{ref}" locked for {age:.3f}s (since {since}): unavailable')
            self._since[ref] = (time.monotonic(), datetime.now(UTC))

    def release(self, ref: str) -> None:
        with self._guard:
            del self._since[ref]
