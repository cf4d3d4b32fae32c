"""The rows that are kept, and the table of each kind."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage_metadata_lmdb.nodes import Kind
from moorage_metadata_lmdb.tables import Fields, Parts, Table, key
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import Info
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Lease
from moorage_sdk.namespaces import Namespace
from moorage_sdk.sandboxes import Sandbox


@dataclass(frozen=True)
class Ingest:
    """A namespace's name for an ingest. ``backend`` is its reference there, ``expected`` set while it shares a blob.

    ``expires_at`` in nanoseconds since the epoch; 0 for an ingest that a lease holds.
    """

    ref: str
    backend: str
    expected: str = ""
    expires_at: int = 0


@dataclass(frozen=True)
class Snapshot:
    """A namespace's name for a snapshot. ``backend`` is its key there; ``parent`` a name of this namespace."""

    name: str
    backend: str
    parent: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


@dataclass(frozen=True)
class Promotion:
    """A commit of an active snapshot that the backend may or may not have performed yet."""

    key: str
    name: str
    backend: str
    parent: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    lease: str = ""


def _timed(row: Any) -> Fields:
    return {"labels": dict(row.labels), "created_at": row.created_at, "updated_at": row.updated_at}


def _times(fields: Fields) -> Fields:
    return {name: fields.get(name, 0) for name in ("created_at", "updated_at")} | {"labels": fields.get("labels", {})}


def _pack(payload: Payload | None) -> Fields | None:
    if payload is None:
        return None
    return {"type": payload.type_url, "value": base64.b64encode(payload.value).decode()}


def _unpack(fields: Fields | None) -> Payload | None:
    return None if fields is None else Payload(fields["type"], base64.b64decode(fields["value"]))


def _encode_image(row: Image) -> Fields:
    target = row.target
    return _timed(row) | {
        "media_type": target.media_type,
        "digest": target.digest,
        "size": target.size,
        "annotations": dict(target.annotations),
    }


def _decode_image(parts: Parts, fields: Fields) -> Image:
    target = Descriptor(fields["media_type"], fields["digest"], fields["size"], fields.get("annotations", {}))
    return Image(parts[1], target, **_times(fields))


def _carried(row: Container | Sandbox) -> Fields:
    return {
        "runtime": row.runtime.name,
        "options": _pack(row.runtime.options),
        "spec": _pack(row.spec),
        "extensions": {name: _pack(payload) for name, payload in row.extensions.items()},
    }


def _carrying(fields: Fields) -> Fields:
    extensions = {name: _unpack(payload) for name, payload in fields.get("extensions", {}).items()}
    return {
        "runtime": Runtime(fields.get("runtime", ""), _unpack(fields.get("options"))),
        "spec": _unpack(fields.get("spec")),
        "extensions": {name: payload for name, payload in extensions.items() if payload is not None},
    }


def _encode_container(row: Container) -> Fields:
    texts = {name: getattr(row, name) for name in ("image", "snapshotter", "snapshot_key", "sandbox")}
    return _timed(row) | texts | _carried(row)


def _decode_container(parts: Parts, fields: Fields) -> Container:
    texts = {name: fields.get(name, "") for name in ("image", "snapshotter", "snapshot_key", "sandbox")}
    return Container(parts[1], **texts, **_carrying(fields), **_times(fields))


def _encode_sandbox(row: Sandbox) -> Fields:
    return _timed(row) | _carried(row) | {"sandboxer": row.sandboxer}


def _decode_sandbox(parts: Parts, fields: Fields) -> Sandbox:
    return Sandbox(parts[1], sandboxer=fields.get("sandboxer", ""), **_carrying(fields), **_times(fields))


def _index_ingest(parts: Parts, row: Ingest) -> Iterable[bytes]:
    yield key("ingest", row.backend)
    if row.expected:
        yield key("want", row.expected, *parts)


def _index_snapshot(parts: Parts, row: Snapshot) -> Iterable[bytes]:
    namespace, snapshotter, name = parts
    yield key("snapshot", snapshotter, row.backend)
    if row.parent:
        yield key("child", namespace, snapshotter, row.parent, name)


def _index_promotion(parts: Parts, row: Promotion) -> Iterable[bytes]:
    # Until it is settled, both keys that the snapshot may have in the backend are known ones.
    yield key("snapshot", parts[1], row.backend)


NAMESPACES: Table[Namespace] = Table(
    "namespaces",
    None,
    lambda row: {"labels": dict(row.labels)},
    lambda parts, fields: Namespace(parts[0], fields.get("labels", {})),
)
IMAGES: Table[Image] = Table("images", Kind.IMAGE, _encode_image, _decode_image)
CONTAINERS: Table[Container] = Table("containers", Kind.CONTAINER, _encode_container, _decode_container)
SANDBOXES: Table[Sandbox] = Table("sandboxes", Kind.SANDBOX, _encode_sandbox, _decode_sandbox)
LEASES: Table[Lease] = Table(
    "leases",
    Kind.LEASE,
    lambda row: {"labels": dict(row.labels), "created_at": row.created_at},
    lambda parts, fields: Lease(parts[1], fields.get("created_at", 0), fields.get("labels", {})),
)
HOLDINGS: Table[None] = Table("holdings", None, lambda row: {}, lambda parts, fields: None)
"""What leases hold: namespace, lease, resource type, id."""
BLOBS: Table[Info] = Table(
    "blobs",
    Kind.CONTENT,
    lambda row: _timed(row) | {"size": row.size},
    lambda parts, fields: Info(parts[1], fields.get("size", 0), **_times(fields)),
    lambda parts, row: [key("blob", row.digest, parts[0])],
)
INGESTS: Table[Ingest] = Table(
    "ingests",
    Kind.INGEST,
    lambda row: {"backend": row.backend, "expected": row.expected, "expires_at": row.expires_at},
    lambda parts, fields: Ingest(parts[1], fields["backend"], fields.get("expected", ""), fields.get("expires_at", 0)),
    _index_ingest,
)
SNAPSHOTS: Table[Snapshot] = Table(
    "snapshots",
    Kind.SNAPSHOT,
    lambda row: _timed(row) | {"backend": row.backend, "parent": row.parent},
    lambda parts, fields: Snapshot(parts[2], fields["backend"], fields.get("parent", ""), **_times(fields)),
    _index_snapshot,
)
PROMOTIONS: Table[Promotion] = Table(
    "promotions",
    None,
    lambda row: {name: getattr(row, name) for name in ("name", "backend", "parent", "labels", "lease")},
    lambda parts, fields: Promotion(
        parts[2],
        fields["name"],
        fields["backend"],
        fields.get("parent", ""),
        fields.get("labels", {}),
        fields.get("lease", ""),
    ),
    _index_promotion,
)

ALL: tuple[Table[Any], ...] = (
    NAMESPACES,
    IMAGES,
    CONTAINERS,
    SANDBOXES,
    LEASES,
    HOLDINGS,
    BLOBS,
    INGESTS,
    SNAPSHOTS,
    PROMOTIONS,
)
