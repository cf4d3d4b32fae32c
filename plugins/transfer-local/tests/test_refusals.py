from __future__ import annotations

import json
from typing import Any, cast

import pytest

from moorage_sdk import errors
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.refusals import refusal
from moorage_transfer_local.transports import Response


class Answer:
    """As much of a Response as is looked at."""

    def __init__(self, status: int, body: bytes = b"", fails: Exception | None = None) -> None:
        self.status = status
        self.url = "https://me:pw@reg.io/v2/a?sig=SECRET"
        self._body = body
        self._fails = fails

    def body(self, limit: int) -> bytes:
        if self._fails:
            raise self._fails
        return self._body


def told(status: int, document: Any = None, fails: Exception | None = None) -> errors.Error:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return refusal(cast(Response, Answer(status, body, fails)), 'image "x"')


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.FailedPrecondition),
        (401, errors.Unauthenticated),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (405, errors.FailedPrecondition),
        (413, errors.FailedPrecondition),
        (416, errors.OutOfRange),
        (429, errors.Unavailable),
        (500, errors.Unavailable),
        (302, errors.Unavailable),
    ],
)
def test_statuses_have_classes(status: int, kind: type[errors.Error]) -> None:
    error = told(status)
    assert type(error) is kind
    assert str(error).startswith('image "x": ')
    assert "SECRET" not in str(error)
    assert "pw" not in str(error)


def test_the_registrys_reason_is_told() -> None:
    document = {"errors": [{"code": "DENIED", "message": "ask\n\x1b[1m https://x.io/?token=SECRET for it"}]}
    message = told(403, document).message
    assert "answered 403 (DENIED: ask  [1m https://x.io/?… for it): permission denied" in message


def test_long_reasons_are_cut() -> None:
    assert len(told(500, {"errors": [{"code": "C", "message": "m" * 10_000}]}).message) < 400


@pytest.mark.parametrize(
    "document", [b"", b"<html>", [], {}, {"errors": []}, {"errors": [1]}, {"errors": {"0": 1}}, b"[" * 50_000, None]
)
def test_what_is_no_reason_is_left_away(document: Any) -> None:
    assert told(500, document).message == 'image "x": "https://reg.io/v2/a?…" answered 500'


@pytest.mark.parametrize("fails", [Failed("cut"), errors.ResourceExhausted("large")])
def test_a_reason_that_does_not_come_is_left_away(fails: Exception) -> None:
    assert told(500, {}, fails).message.endswith("answered 500")
