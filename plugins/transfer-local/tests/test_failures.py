"""Failures: every kind in words, none with a secret."""

from __future__ import annotations

import socket
import ssl

import pytest
import urllib3

from moorage_transfer_local import failures

POOL = urllib3.HTTPConnectionPool("a.io")


def wrapped(cause: BaseException) -> BaseException:
    """As urllib3 wraps causes."""
    return urllib3.exceptions.MaxRetryError(POOL, "/x?signature=SECRET", cause)  # type: ignore[arg-type]


def unverified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL] failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (TimeoutError("x"), "timed out"),
        (urllib3.exceptions.IncompleteRead(7, 3), "7 bytes read, 3 more expected"),
        (unverified(), "certificate not accepted: self-signed certificate"),
        (ValueError("odd"), "odd"),
        (ValueError("https://a.io/?signature=SECRET"), "ValueError"),
    ],
)
def test_the_innermost_cause_is_told(cause: BaseException, words: str) -> None:
    for error in (cause, wrapped(cause)):
        told = failures.failed("subject", error)
        assert told.message == f"subject: {words}"
        assert "SECRET" not in str(told)


def test_who_reaches_nobody_is_asked_for_the_name() -> None:
    for cause in (ConnectionRefusedError(111, "Connection refused"), socket.gaierror(-2, "Name or service not known")):
        assert "name right" in failures.failed("subject", wrapped(cause)).hint
    assert not failures.failed("subject", wrapped(TimeoutError("x"))).hint


def test_plaintext_is_recognised() -> None:
    plain = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    plain.reason = "WRONG_VERSION_NUMBER"
    assert failures.failed("x", wrapped(plain)).plaintext
    assert not failures.failed("x", wrapped(ssl.SSLError(1, "other"))).plaintext
