"""Error classes shared by all slots.

An error knows its class; only the edge of the daemon knows the gRPC code that belongs to it
(``moorage_api.convert.errors``). The classes are those of ``github.com/containerd/errdefs``. A message is a subject, a
quoted name and a verdict, ``container "web" in namespace "default": not found``; where a person can do something about
it, ``hint`` says what.
"""

from __future__ import annotations


class Error(Exception):
    """Base of every error that may cross a slot. Raised directly only for what has no better class (``UNKNOWN``)."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidArgument(Error):
    """The request is wrong in itself, whatever the state of the daemon."""


class NotFound(Error):
    """The object that the request names does not exist."""


class AlreadyExists(Error):
    """The object that the request would create exists."""


class PermissionDenied(Error):
    """The caller may not do this."""


class ResourceExhausted(Error):
    """Disk, memory, descriptors or a limit of ours are used up; nothing was lost."""


class FailedPrecondition(Error):
    """The object exists, but its state forbids the operation."""


class Aborted(Error):
    """The operation was given up, usually for a concurrent one; the caller may start over."""


class OutOfRange(Error):
    """An offset lies past the end."""


class Unimplemented(Error):
    """This implementation does not offer the operation; another one may."""


class Internal(Error):
    """A promise of our own was broken."""


class Unavailable(Error):
    """Not now: locked, starting, stopping or degraded. The caller should retry."""


class DataLoss(Error):
    """Stored or transferred bytes are not what they must be."""


class Unauthenticated(Error):
    """The peer wants credentials that were not given or not accepted."""


class DeadlineExceeded(Error):
    """The time allowed for the operation is over."""


class Cancelled(Error):
    """The caller no longer wants the answer."""
