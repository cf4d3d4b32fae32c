"""Refusals: answers of registries that say no, as errors that say why.

The document with the reason is that of the OCI distribution specification, "Error Codes". It comes from a stranger, so
little of it is shown, and no queries of URLs, which may be signatures.
"""

from __future__ import annotations

import json
import re
from typing import Any

from moorage_sdk import errors
from moorage_transfer_local.transports import Response
from moorage_transfer_local.urls import redacted

MAX_REASON = 1 << 16
"""Bytes of an answer that are looked at."""

SHOWN = 200
"""Characters of a reason that are shown."""

_UNWANTED = frozenset({400, 405, 409, 413, 415, 422})
"""What is asked for is not acceptable to this registry; asking again does not help."""


def refusal(response: Response, subject: str) -> errors.Error:
    """The error for an answer that is no success, about ``subject``."""
    text = f'{subject}: "{redacted(response.url)}" answered {response.status}{_reason(response)}'
    match response.status:
        case 404:
            return errors.NotFound(f"{subject}: not found", hint=f'at "{redacted(response.url)}"')
        case 416:
            return errors.OutOfRange(f"{text}: out of range")
        case 401 | 407:
            return errors.Unauthenticated(f"{text}: authorization required")
        case 403:
            return errors.PermissionDenied(f"{text}: permission denied")
        case 429:
            hint = "wait, or log in for a higher limit"
            return errors.Unavailable(f"{text}: too many requests", hint=hint)
        case status if status in _UNWANTED:
            return errors.FailedPrecondition(f"{text}: failed precondition")
        case _:
            return errors.Unavailable(text)


def _reason(response: Response) -> str:
    try:
        document: Any = json.loads(response.body(MAX_REASON))
        first = document["errors"][0]
        reason = f"{first['code']}: {first['message']}"
    except (errors.Error, ValueError, LookupError, TypeError, RecursionError):
        return ""
    reason = re.sub(r"\?\S+", "?…", "".join(c if c.isprintable() else " " for c in reason))
    return f" ({reason[:SHOWN]})"
