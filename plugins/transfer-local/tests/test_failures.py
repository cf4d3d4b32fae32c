"""Failures: every kind in words, none with a secret."""

from __future__ import annotations

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
        assert str(told) == f"subject: {words}"


def test_plaintext_is_recognised() -> None:
    plain = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    plain.reason = "WRONG_VERSION_NUMBER"
    assert failures.failed("x", wrapped(plain)).plaintext
    assert not failures.failed("x", wrapped(ssl.SSLError(1, "other"))).plaintext
