"""Documents: JSON from strangers, read so that nobody can read it differently.

Two readers that take one document for two things are how a signed image becomes another one (CVE-2021-41190), so what
JSON leaves open is refused: duplicate keys, NaN, a byte order mark. Nesting and numbers are bounded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from moorage_sdk import errors

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
MAX_DEPTH = 64
MAX_VALUES = 200_000
"""Of a document; a byte of JSON can become a hundred of memory."""

# Possessive, and a string may lack its end: with anything to go back to, a hostile document would take hours.
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[{]|[\]}]', re.DOTALL)


def load(data: bytes, subject: str) -> dict[str, Any]:
    """The JSON object in ``data``. Raises errors.InvalidArgument naming ``subject``."""
    document = _parsed(data, subject)
    if not isinstance(document, dict):
        raise invalid(subject, "not a JSON object")
    return document


def load_list(data: bytes, subject: str) -> list[Any] | None:
    """The JSON array in ``data``, None for ``null``. Raises errors.InvalidArgument naming ``subject``."""
    document = _parsed(data, subject)
    if document is not None and not isinstance(document, list):
        raise invalid(subject, "not a JSON array")
    return document


def dump(document: object) -> bytes:
    """A document as ``encoding/json`` of Go writes it: equal documents have equal digests. Keys as they come."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def invalid(subject: str, why: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f"{subject}: {why}: invalid argument")


def _parsed(data: bytes, subject: str) -> Any:
    if _depth(data) > MAX_DEPTH:
        raise invalid(subject, f"nested deeper than {MAX_DEPTH}")
    if data.count(b",") > MAX_VALUES:
        raise invalid(subject, f"more than {MAX_VALUES} values")
    try:
        document = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        if _SURROGATE.search(data):
            json.dumps(document, ensure_ascii=False).encode()  # half a character can be written nowhere
        return document
    except (ValueError, RecursionError) as error:
        raise invalid(subject, f"not acceptable JSON: {str(error)[:200]}") from error


def _depth(data: bytes) -> int:
    """How deep brackets nest outside of strings, stopping at the limit; the parser would recurse that deep."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(data):
        if match[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                break
        elif match[0] in b"]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f'duplicate key "{twice}"')
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
