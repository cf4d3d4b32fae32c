"""Field masks as containerd understands them, which is not protobuf's way.

In ``labels.a.b/c`` all behind the first dot is one key, dots included. Paths that a service does not list are errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from moorage_sdk import errors

T = TypeVar("T")


def update_map(
    current: Mapping[str, T], wanted: Mapping[str, T], paths: Sequence[str], field: str = "labels"
) -> dict[str, T]:
    """Apply those of ``paths`` that concern ``field``: ``labels`` replaces the whole map, ``labels.K`` one key.

    A key that is absent from ``wanted`` or empty there is removed. Paths of other fields are left to the caller.
    """
    result: dict[str, T | None] = dict(current)
    for path in paths:
        if path == field:
            result = dict(wanted)
        elif path.startswith(field + "."):
            key = path[len(field) + 1 :]
            result[key] = wanted.get(key)
    return {key: value for key, value in result.items() if value}


def check(paths: Sequence[str], allowed: Sequence[str], subject: str) -> None:
    """Raises errors.InvalidArgument for a path not in ``allowed``; an entry ``labels.`` there allows every key."""
    for path in paths:
        if not any(path == name or (name.endswith(".") and path.startswith(name) and path != name) for name in allowed):
            raise errors.InvalidArgument(f'cannot update "{path}" field on {subject}: invalid argument')
