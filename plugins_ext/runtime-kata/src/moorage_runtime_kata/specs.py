"""Runtime specifications without the annotations that may not get to Kata.

Kata reads them with Go's ``encoding/json``, which takes ``Annotations`` for ``annotations`` and joins objects that are
there twice. So what is written is always made anew, and every key that Go would take for the field is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from moorage_runtime_kata import permits
from moorage_sdk import errors


def cleaned(subject: str, spec: bytes, patterns: Iterable[str]) -> tuple[bytes, list[str]]:
    """The specification, and the names of the annotations that were taken away.

    Raises errors.InvalidArgument for what is no specification, or says something twice.
    """
    document = _parsed(subject, spec)
    listed, refused = tuple(patterns), []
    for key, value in document.items():
        if key.casefold() == "annotations" and isinstance(value, dict):
            document[key], taken = permits.allowed(value, listed)
            refused += taken
    return json.dumps(document).encode(), sorted(refused)


def _parsed(subject: str, spec: bytes) -> dict[str, Any]:
    try:
        document = json.loads(spec, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f"spec of {subject}: {error}: invalid argument") from error
    if not isinstance(document, dict):
        raise errors.InvalidArgument(f"spec of {subject}: not a JSON object: invalid argument")
    return document


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'"{twice}" is there twice')
    return found
