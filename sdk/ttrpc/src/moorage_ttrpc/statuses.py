"""Errors as statuses and statuses as errors.

The numbers are those of google.rpc.Code. The table repeats the one in ``moorage_api.convert.errors`` because this
distribution stands without protobuf; a test compares the two.
"""

from __future__ import annotations

import sys

from moorage_sdk import errors
from moorage_ttrpc.messages import Status

OK = 0
CANCELLED = 1
UNKNOWN = 2
DEADLINE_EXCEEDED = 4
UNIMPLEMENTED = 12

CODES: dict[type[errors.Error], int] = {
    errors.Cancelled: CANCELLED,
    errors.InvalidArgument: 3,
    errors.DeadlineExceeded: DEADLINE_EXCEEDED,
    errors.NotFound: 5,
    errors.AlreadyExists: 6,
    errors.PermissionDenied: 7,
    errors.ResourceExhausted: 8,
    errors.FailedPrecondition: 9,
    errors.Aborted: 10,
    errors.OutOfRange: 11,
    errors.Unimplemented: UNIMPLEMENTED,
    errors.Internal: 13,
    errors.Unavailable: 14,
    errors.DataLoss: 15,
    errors.Unauthenticated: 16,
}

CLASSES: dict[int, type[errors.Error]] = {code: kind for kind, code in CODES.items()}


def of(error: BaseException) -> Status:
    """The status that tells a peer about ``error``. What is none of our classes is UNKNOWN, without a traceback."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return Status(CODES[kind], _valid(str(error)))
    if _cancelled(error):
        return Status(CANCELLED, "call cancelled")
    if isinstance(error, TimeoutError):
        return Status(DEADLINE_EXCEEDED, _valid(str(error) or "took too long"))
    return Status(UNKNOWN, _valid(str(error) or type(error).__name__))


def error(status: Status) -> errors.Error:
    """The error that a status with a code other than OK stands for."""
    return CLASSES.get(status.code, errors.Error)(status.message)


def _cancelled(error: BaseException) -> bool:
    """Programs without a loop come here, too, and must not load asyncio for what only asyncio raises."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _valid(message: str) -> str:
    # A message may quote a file name, and those are bytes: a lone surrogate must not lose the whole answer.
    return message.encode("utf-8", "replace").decode("utf-8")
