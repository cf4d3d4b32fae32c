"""JSON that strangers wrote: image indexes, manifests and configurations. Read strictly, within limits."""

from __future__ import annotations

import json
from typing import Any

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import Descriptor
from moorage_specs import fields

LIMIT = 8 << 20
"""Bytes that an index, manifest or configuration may have. containerd stops at about 4 MiB when it pulls."""

ARCHIVE_LIMIT = 20 << 20
"""``jsonLimit`` of core/images/archive/importer.go."""


def parse(data: bytes, subject: str) -> dict[str, Any]:
    """A JSON object. Raises errors.InvalidArgument for anything else, repeated keys and bottomless nesting included."""
    value = _load(data, subject)
    if not isinstance(value, dict):
        raise errors.InvalidArgument(f"{subject}: not a JSON object: invalid argument")
    return value


def parse_list(data: bytes, subject: str) -> list[Any]:
    """A JSON array. Raises as ``parse``."""
    value = _load(data, subject)
    if not isinstance(value, list):
        raise errors.InvalidArgument(f"{subject}: not a JSON array: invalid argument")
    return value


def descriptor(value: Any, subject: str) -> Descriptor:
    """A content descriptor. Raises errors.InvalidArgument when media type, digest or size are missing or wrong."""
    entry = value if isinstance(value, dict) else {}
    kind, digest, size = entry.get("mediaType"), entry.get("digest"), entry.get("size")
    if not isinstance(kind, str) or not isinstance(digest, str) or type(size) is not int or size < 0:
        raise errors.InvalidArgument(f"{subject}: malformed descriptor: invalid argument")
    return Descriptor(kind, digests.validate(digest), size, fields.strings(entry.get("annotations")))


def _load(data: bytes, subject: str) -> Any:
    try:
        # Decoded first, for json would guess at UTF-16 and take what no other reader does.
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise errors.InvalidArgument(f"{subject}: {reason}: invalid argument") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers that pick different ones of a repeated key would see different images."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("repeated key in an object")
    return result


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
