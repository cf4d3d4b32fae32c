"""Amounts as people type them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from moorage_sdk import errors

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE)
_MOST_CPUS = 1 << 20
"""More is no number of processors, and may have more digits than there is memory for."""
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def size(text: str) -> int:
    """Bytes: ``64m``, ``1.5GiB``, ``1000``; units are powers of 1024. Raises errors.InvalidArgument."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise errors.InvalidArgument(f'size "{text}": must be a number with b, k, m or g: invalid argument')
    return int(Decimal(found[1]) * 1024 ** _POWERS[found[2].lower()])


def cpu_quota(text: str, period: int) -> int:
    """Microseconds per ``period`` for a number of processors such as ``1.5``. Raises errors.InvalidArgument."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    quota = int(number * period) if number.is_finite() and number < _MOST_CPUS else 0
    if quota < 1000:
        raise errors.InvalidArgument(f'cpus "{text}": must be a number of at least 0.01: invalid argument')
    return quota
