"""Labels: their limits, and the names with a meaning."""

from __future__ import annotations

import time
from collections.abc import Mapping

from moorage_sdk import errors

MAX_SIZE = 4096
"""Bytes of key and value together (``pkg/labels/validate.go``)."""

UNCOMPRESSED = "containerd.io/uncompressed"
"""On a compressed layer blob: the digest of its uncompressed tar (the diff id)."""

DISTRIBUTION_SOURCE = "containerd.io/distribution.source"
"""Prefix, completed by ``.<registry host>``: the repositories that a blob was seen in, joined by commas."""

SNAPSHOT_PREFIX = "containerd.io/snapshot/"
SNAPSHOT_REF = "containerd.io/snapshot.ref"
"""Only labels with the prefix and this one label reach a snapshotter."""

GC_ROOT = "containerd.io/gc.root"
GC_REF_CONTENT = "containerd.io/gc.ref.content"
GC_REF_SNAPSHOT = "containerd.io/gc.ref.snapshot."
GC_REF_IMAGE = "containerd.io/gc.ref.image"
GC_BACK_REF = "containerd.io/gc.bref."
GC_EXPIRE = "containerd.io/gc.expire"
GC_FLAT = "containerd.io/gc.flat"
SHAREABLE = "containerd.io/namespace.shareable"

RESERVED_PREFIXES = ("containerd.io/", "io.cri-containerd", "moorage/", "nerdctl/")
"""Labels of an image's configuration that begin so are dropped.

An image must not steer the daemon (CVE-2026-53488), nor a client that keeps paths and names in labels.
"""


def validate(labels: Mapping[str, str]) -> None:
    """Raises errors.InvalidArgument for the first label over the size limit or without a key."""
    require_keys(labels)
    for key, value in labels.items():
        size = len(key.encode()) + len(value.encode())
        if size > MAX_SIZE:
            shown = key if len(key) <= 64 else key[:64] + "…"
            raise errors.InvalidArgument(
                f"label key and value length ({size} bytes) greater than maximum size ({MAX_SIZE} bytes), "
                f'key "{shown}": invalid argument'
            )


def require_keys(labels: Mapping[str, str]) -> None:
    """Raises errors.InvalidArgument for a value without a key, which no store of containerd takes."""
    if labels.get(""):
        raise errors.InvalidArgument("label key must not be empty: invalid argument")


def stored(labels: Mapping[str, str]) -> dict[str, str]:
    """What is kept of labels: an empty value deletes (``core/metadata/boltutil/helpers.go``)."""
    return {key: value for key, value in labels.items() if value}


def expiring(seconds: float = 0.0) -> dict[str, str]:
    """The label of what is collected so many seconds from now."""
    return {GC_EXPIRE: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}


def without_reserved(labels: Mapping[str, str]) -> dict[str, str]:
    """What an image's own labels may contribute to a container: no reserved prefix, nothing over the limit."""
    return {
        key: value
        for key, value in labels.items()
        if not key.startswith(RESERVED_PREFIXES) and len(key.encode()) + len(value.encode()) <= MAX_SIZE
    }
