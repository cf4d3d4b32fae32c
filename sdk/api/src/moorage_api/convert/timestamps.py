"""Instants: protobuf timestamps and the integers that values hold, nanoseconds since the epoch with 0 for "never".

containerd sends Go's zero time, the first instant of the year 1, where it has no instant to report (an ``exited_at``
of a running process), and its clients test for exactly that. So 0 goes out as Go's zero time; Go's zero time, the epoch
itself and an absent field all come in as 0.
"""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from moorage_sdk import errors

NEVER = 0
GO_ZERO_SECONDS = -62_135_596_800
"""0001-01-01T00:00:00Z, Go's ``time.Time{}``, and the least that a Timestamp may hold (timestamp.proto)."""

MAX_SECONDS = 253_402_300_799
"""9999-12-31T23:59:59Z, the most that a Timestamp may hold."""

_SECOND = 1_000_000_000


def from_message(timestamp: Timestamp | None) -> int:
    """Nanoseconds since the epoch. Raises errors.InvalidArgument for what timestamp.proto does not allow."""
    if timestamp is None or (timestamp.seconds == GO_ZERO_SECONDS and timestamp.nanos == 0):
        return NEVER
    if not (GO_ZERO_SECONDS <= timestamp.seconds <= MAX_SECONDS and 0 <= timestamp.nanos < _SECOND):
        shown = f"{timestamp.seconds}s {timestamp.nanos}ns"
        raise errors.InvalidArgument(f'timestamp "{shown}": out of range: invalid argument')
    return timestamp.seconds * _SECOND + timestamp.nanos


def to_message(nanoseconds: int) -> Timestamp:
    """The timestamp of an instant. Raises errors.InvalidArgument for one before the year 1 or after 9999."""
    if nanoseconds == NEVER:
        return Timestamp(seconds=GO_ZERO_SECONDS)
    seconds, nanos = divmod(nanoseconds, _SECOND)
    if not GO_ZERO_SECONDS <= seconds <= MAX_SECONDS:
        raise errors.InvalidArgument(f'timestamp "{nanoseconds}ns": out of range: invalid argument')
    return Timestamp(seconds=seconds, nanos=nanos)
