"""What filters see of each kind of object: fields by path, as in core/metadata/adaptors.go (containerd v2.3).

A lookup answers ``(value, present)``. What containerd accepts but never matches (the size of content, platforms and
capabilities of plugins) is absent here as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from moorage_api import filters
from moorage_sdk import content, snapshots
from moorage_sdk.containers import Container
from moorage_sdk.images import Image
from moorage_sdk.leases import Lease
from moorage_sdk.sandboxes import Sandbox

Found = tuple[str, bool]
Lookup = Callable[[Sequence[str]], Found]
ABSENT: Found = ("", False)


def image(image: Image) -> Lookup:
    target = {"digest": image.target.digest, "mediatype": image.target.media_type}
    return _fields(
        {"name": image.name, **{f"target.{key}": value for key, value in target.items()}},
        {"labels": image.labels, "annotations": image.target.annotations},
    )


def container(container: Container) -> Lookup:
    plain = {"id": container.id, "image": container.image, "runtime.name": container.runtime.name}
    return _fields(plain, {"labels": container.labels})


def sandbox(sandbox: Sandbox) -> Lookup:
    return _fields({"id": sandbox.id}, {"labels": sandbox.labels}, always=("id",))


def info(info: content.Info) -> Lookup:
    return _fields({"digest": info.digest}, {"labels": info.labels})


def status(status: content.Status) -> Lookup:
    return _fields({"ref": status.ref}, {}, always=("ref",))


def lease(lease: Lease) -> Lookup:
    return _fields({"id": lease.id}, {"labels": lease.labels})


def snapshot(info: snapshots.Info) -> Lookup:
    kind = info.kind.name.lower() if info.kind else ""
    plain = {"kind": kind, "name": info.name, "parent": info.parent}
    return _fields(plain, {"labels": info.labels}, always=("name", "parent"))


def plugin(type: str, id: str) -> Lookup:
    return _fields({"type": type, "id": id}, {})


def task(namespace: str, id: str) -> Lookup:
    return _fields({"id": id, "namespace": namespace}, {}, always=("id", "namespace"))


def _fields(plain: Mapping[str, str], maps: Mapping[str, Mapping[str, str]], always: tuple[str, ...] = ()) -> Lookup:
    """``always`` are fields that are present even when they are empty."""

    def lookup(path: Sequence[str]) -> Found:
        if not path:
            return ABSENT
        if path[0] in maps:
            return filters.in_map(maps[path[0]], path[1:])
        # What follows a complete path is ignored, as there: ``id.x`` is ``id``.
        for length in (2, 1):
            name = ".".join(path[:length])
            if name in plain:
                return plain[name], bool(plain[name]) or name in always
        return ABSENT

    return lookup
