"""Identifiers: namespaces, container ids, exec ids, components of event topics.

Rule and limit are containerd's (``pkg/identifiers/validate.go``). Image names, snapshot keys, ingest references and
lease ids are *not* identifiers and know no such limit.
"""

from __future__ import annotations

import re

from moorage_sdk import errors

MAX_LENGTH = 76
PATTERN = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")


def validate(value: str, what: str = "identifier") -> str:
    """Return ``value``. Raises errors.InvalidArgument naming ``what`` when it is no identifier."""
    if not value:
        raise errors.InvalidArgument(f"{what} must not be empty: invalid argument")
    if len(value.encode("utf-8", "surrogateescape")) > MAX_LENGTH:
        raise errors.InvalidArgument(
            f"{what} {_quoted(value)} greater than maximum length ({MAX_LENGTH} characters): invalid argument"
        )
    if not PATTERN.fullmatch(value):
        raise errors.InvalidArgument(f"{what} {_quoted(value)} must match ^{PATTERN.pattern}$: invalid argument")
    return value


def _quoted(value: str) -> str:
    """In double quotes, with nothing in it that would disturb a terminal or a log."""
    return '"' + repr(value)[1:-1].replace('"', '\\"') + '"'
