"""Times as Go's ``time.Time.MarshalText`` writes them: RFC 3339 with up to nine decimals, without trailing zeros."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_PATTERN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.([0-9]{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 10**9


def to_text(nanoseconds: int) -> str:
    """Nanoseconds since the epoch, in UTC."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def from_text(text: str) -> int:
    """Nanoseconds since the epoch. Raises ValueError."""
    match = _PATTERN.fullmatch(text)
    if not match:
        raise ValueError(f'time "{text}": not RFC 3339')
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    return (whole - _EPOCH) // timedelta(seconds=1) * _SECOND + int((match[2] or "").ljust(9, "0"))
