"""Fields of JSON that strangers wrote: what has the wrong type counts as absent, as Go's null does."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def strings(value: Any) -> dict[str, str]:
    """A mapping of strings."""
    if not isinstance(value, dict):
        return {}
    return {key: each for key, each in value.items() if isinstance(each, str)}


def string_list(value: Any) -> tuple[str, ...]:
    """An array of strings."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
