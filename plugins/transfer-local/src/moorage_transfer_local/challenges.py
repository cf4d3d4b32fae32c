"""Challenges: the header ``WWW-Authenticate`` (RFC 9110, section 11), as registries write it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MAX_SIZE = 16384
"""Bytes of a header that are looked at."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf'({_TOKEN})\s*=\s*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")\s*(,\s*|$)')
_SCHEME = re.compile(rf"({_TOKEN})(?:\s+|$|\s*,\s*)")


@dataclass(frozen=True)
class Challenge:
    """``scheme`` and parameter names are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse(headers: Iterable[str]) -> list[Challenge]:
    """All challenges that can be understood, in order; one header may hold several."""
    found: list[Challenge] = []
    for header in headers:
        rest = header[:MAX_SIZE].strip()
        while match := _SCHEME.match(rest):
            parameters, rest = _parameters(rest[match.end() :])
            found.append(Challenge(match[1].lower(), parameters))
    return found


def _parameters(rest: str) -> tuple[dict[str, str], str]:
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(rest):
        quoted = match[3]
        value = match[2] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        parameters.setdefault(match[1].lower(), value)
        rest = rest[match.end() :]
    return parameters, rest
