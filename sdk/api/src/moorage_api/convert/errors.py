"""The one table of error classes and gRPC status codes, both ways. Codes are numbers: no grpc in here.

Rows are those of ``errgrpc`` in github.com/containerd/errdefs. containerd has two classes without a code of their own,
Conflict and NotModified: they travel as FAILED_PRECONDITION, and clients tell them by the end of the message
(``: conflict``, ``: not modified``). So a message is passed on as it is, and nothing is ever put behind such an ending.
"""

from __future__ import annotations

import asyncio

from moorage_api.messages import rpc_status
from moorage_sdk import errors

OK = 0
CODES: dict[type[errors.Error], int] = {
    errors.Cancelled: 1,
    errors.Error: 2,
    errors.InvalidArgument: 3,
    errors.DeadlineExceeded: 4,
    errors.NotFound: 5,
    errors.AlreadyExists: 6,
    errors.PermissionDenied: 7,
    errors.ResourceExhausted: 8,
    errors.FailedPrecondition: 9,
    errors.Aborted: 10,
    errors.OutOfRange: 11,
    errors.Unimplemented: 12,
    errors.Internal: 13,
    errors.Unavailable: 14,
    errors.DataLoss: 15,
    errors.Unauthenticated: 16,
}
"""Class -> number of google.rpc.Code. ``Error`` itself is UNKNOWN."""

CLASSES = {code: kind for kind, code in CODES.items()}
VERDICTS = {
    errors.Error: "unknown",
    errors.Cancelled: "context canceled",
    errors.DeadlineExceeded: "context deadline exceeded",
    errors.InvalidArgument: "invalid argument",
    errors.NotFound: "not found",
    errors.AlreadyExists: "already exists",
    errors.PermissionDenied: "permission denied",
    errors.ResourceExhausted: "resource exhausted",
    errors.FailedPrecondition: "failed precondition",
    errors.Aborted: "aborted",
    errors.OutOfRange: "out of range",
    errors.Unimplemented: "not implemented",
    errors.Internal: "internal",
    errors.Unavailable: "unavailable",
    errors.DataLoss: "data loss",
    errors.Unauthenticated: "unauthenticated",
}
"""What stands for an empty message; the words of errdefs/errors.go and of Go's context package."""

ENDINGS = frozenset(VERDICTS.values()) | {"conflict", "not modified"}
"""Ends of messages that containerd's client recognizes."""


def code(error: BaseException) -> int:
    """The status code for any exception; what is not one of ours is UNKNOWN.

    A group takes the code of its first member that has a better one than UNKNOWN, as errdefs does for joined errors.
    """
    if isinstance(error, BaseExceptionGroup):
        return next((each for each in map(code, error.exceptions) if each != CODES[errors.Error]), CODES[errors.Error])
    if isinstance(error, asyncio.CancelledError):
        return CODES[errors.Cancelled]
    if isinstance(error, TimeoutError):
        return CODES[errors.DeadlineExceeded]
    return next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), CODES[errors.Error])


def code_of(message: str) -> int:
    """The code of the class that a message ends in (``image "x": not found``); UNKNOWN where it ends in none."""
    verdict = message.rpartition(": ")[2]
    return next((CODES[kind] for kind, known in VERDICTS.items() if verdict == known), CODES[errors.Error])


def text(error: BaseException) -> str:
    """The message for the peer: never empty, never a traceback. A group's members take a line each."""
    if isinstance(error, BaseExceptionGroup):
        return "\n".join(map(text, error.exceptions))
    # A message may quote a file name, which is bytes: neither gRPC nor protobuf carries a lone surrogate.
    return _words(error).encode("utf-8", "replace").decode()


def _words(error: BaseException) -> str:
    if isinstance(error, errors.Error):
        return _with_hint(error) or VERDICTS[CLASSES[code(error)]]
    if code(error) != CODES[errors.Error]:
        return str(error) or VERDICTS[CLASSES[code(error)]]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _with_hint(error: errors.Error) -> str:
    """The hint goes before a verdict at the end: Go clients cut the verdict off, or read a class from it."""
    subject, _, verdict = error.message.rpartition(": ")
    if not error.hint or verdict not in ENDINGS:
        return str(error)
    return f"{subject} ({error.hint}): {verdict}" if subject else f"{error.hint}: {verdict}"


def error(code: int, message: str) -> errors.Error:
    """The exception for a status received. A code that nobody defined becomes ``Error``.

    The message stays as it was sent, so an error that passes through a second daemon ends the same way.
    """
    kind = CLASSES.get(code, errors.Error)
    return kind(message or VERDICTS[kind])


def to_status(error: BaseException) -> rpc_status.Status:
    """The error as google.rpc.Status, the form that ttrpc and status details use. Members of a group become details."""
    status = rpc_status.Status(code=code(error), message=text(error))
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            status.details.add(type_url="type.googleapis.com/google.rpc.Status").value = to_status(
                each
            ).SerializeToString()
    return status


def from_status(status: rpc_status.Status) -> errors.Error | None:
    """The exception that a google.rpc.Status stands for, None for success."""
    return None if status.code == OK else error(status.code, status.message)
