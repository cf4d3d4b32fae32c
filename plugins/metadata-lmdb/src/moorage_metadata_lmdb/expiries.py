"""Points in time, as labels write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from moorage_sdk import labels

_RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time, None for any other text.

    As lenient as Go's ``time.Parse``, which takes an hour of one digit and a comma before the fraction.
    """
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
