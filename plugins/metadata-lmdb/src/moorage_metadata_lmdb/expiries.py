"""Points in time and durations, as labels write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from moorage_sdk import labels

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse(text: str) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time, None for any other text."""
    if not (found := _RFC3339.fullmatch(text)):
        return None
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = found.groups()
    offset = timedelta(hours=int(off_hours or 0), minutes=int(off_minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset))
    except ValueError:
        return None
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * 10**9 + int((fraction or "").ljust(9, "0")[:9])


def of(values: Mapping[str, str]) -> int | None:
    """When the object with these labels expires; None when it never does or the label is no time."""
    text = values.get(labels.GC_EXPIRE)
    return None if text is None else parse(text)


def duration(text: str) -> int | None:
    """Nanoseconds of a duration in Go's notation (``1h30m``, ``-1.5s``, ``0``), None for any other text."""
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-") if text[:1] in "+-" else text
    if digits == "0":
        return 0
    found = list(_PART.finditer(digits))
    if not found or "".join(match.group() for match in found) != digits:
        return None
    return sign * sum(int(float(match[1]) * _UNITS[match[2]]) for match in found)
