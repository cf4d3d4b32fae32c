"""Failures: connections that went wrong, told in words that a person understands."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

from moorage_sdk import errors


class Failed(errors.Unavailable):
    """The connection, not the server's answer, went wrong. ``plaintext``: the peer did not speak TLS."""

    def __init__(self, message: str, *, hint: str = "", plaintext: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.plaintext = plaintext


def failed(subject: str, error: BaseException) -> Failed:
    """``error`` of urllib3 or below, about ``subject``."""
    nobody = any(isinstance(cause, (ConnectionRefusedError, socket.gaierror)) for cause in _causes(error))
    hint = "is the registry's name right, and can this host reach it?" if nobody else ""
    return Failed(f"{subject}: {reason(error)}", hint=hint, plaintext=is_plaintext(error))


def is_plaintext(error: BaseException) -> bool:
    """Whether the TLS handshake failed because the answer was no TLS at all."""
    no_tls = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
    return any(isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") in no_tls for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it wraps, outermost first; urllib3 keeps the wrapped one in ``reason`` or ``args``."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        inner = getattr(seen, "reason", None)
        inner = (
            inner
            if isinstance(inner, BaseException)
            else next((a for a in seen.args if isinstance(a, BaseException)), None)
        )
        seen = inner or seen.__cause__


def reason(error: BaseException) -> str:
    """What happened, from the innermost cause: outer messages repeat URLs, which may carry signatures."""
    import urllib3  # late: see the package

    causes = list(_causes(error))
    for cause in reversed(causes):
        if isinstance(cause, urllib3.exceptions.IncompleteRead):
            return f"{cause.partial} bytes read, {cause.expected} more expected"
        if isinstance(cause, TimeoutError):
            return "timed out"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not accepted: {cause.verify_message}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return type(causes[-1]).__name__ if "://" in str(causes[-1]) else str(causes[-1])
