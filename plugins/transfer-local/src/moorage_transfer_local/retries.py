"""Retries: which failures are worth another attempt, and how long to wait before it."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

ATTEMPTS = 5
"""Attempts at one request or one blob, all in all."""

LONGEST = 60.0
"""Seconds that a registry can make us wait with Retry-After."""

STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Policy:
    """``base`` seconds before the second attempt, doubled before each further one, up to ``cap``."""

    attempts: int = ATTEMPTS
    base: float = 0.5
    cap: float = 10.0
    longest: float = LONGEST
    jitter: Callable[[], float] = random.random

    def delay(self, attempt: int, retry_after: str = "") -> float:
        """Seconds to wait after the failure of ``attempt`` (1 is the first).

        Half of a delay is random, so that many pulls that failed together do not come back together.
        """
        asked = parse_retry_after(retry_after)
        if asked is not None:
            return min(asked, self.longest) + self.base * self.jitter()
        delay = min(self.base * 2.0 ** (attempt - 1), self.cap)
        return delay / 2 + delay / 2 * self.jitter()


def parse_retry_after(text: str, now: Callable[[], float] = time.time) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date); None for none or nonsense."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        return float(text)
    try:
        return max(parsedate_to_datetime(text).timestamp() - now(), 0.0) if text else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
