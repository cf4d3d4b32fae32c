"""Listings: descriptors, manifests and indexes as they are written, field by field in the order of Go's structures.

Whoever makes a manifest for the same files gets the same digest then (``core/images/archive`` in containerd v2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moorage_sdk.descriptors import DOCKER_MANIFEST, OCI_INDEX, Descriptor
from moorage_sdk.platforms import Platform
from moorage_transfer_local.documents import dump
from moorage_transfer_local.manifests import Entry


def index(entries: Sequence[Entry]) -> bytes:
    """The index that is made for an archive without one. It does not say its own type."""
    return dump({"schemaVersion": 2, "manifests": [_entry(each) for each in entries]})


def layout_index(entries: Sequence[Entry]) -> bytes:
    """The ``index.json`` of a layout."""
    return dump({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_entry(each) for each in entries]})


def docker_manifest(config: Descriptor, layers: Sequence[Descriptor]) -> bytes:
    fields = {"config": _descriptor(config), "layers": [_descriptor(layer) for layer in layers]}
    return dump({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, **fields})


def _entry(entry: Entry) -> dict[str, Any]:
    written = _descriptor(entry.descriptor)
    return {**written, "platform": _platform(entry.platform)} if entry.platform is not None else written


def _descriptor(blob: Descriptor) -> dict[str, Any]:
    written: dict[str, Any] = {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size}
    return {**written, "annotations": dict(sorted(blob.annotations.items()))} if blob.annotations else written


def _platform(platform: Platform) -> dict[str, str]:
    optional = {"os.version": platform.os_version, "variant": platform.variant}
    given = {key: value for key, value in optional.items() if value}
    return {"architecture": platform.architecture, "os": platform.os, **given}
