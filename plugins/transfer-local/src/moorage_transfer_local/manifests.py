"""Manifests: indexes, manifests and configurations of images, and which of an index fits a machine.

Shapes are those of the OCI image specification and Docker's equivalents. A document is what its *descriptor* says that
it is; one that looks like something else is refused (``validateMediaType`` in containerd's ``core/images/image.go``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moorage_sdk import digests
from moorage_sdk.descriptors import CONFIGS, INDEXES, MANIFESTS, Descriptor, is_layer
from moorage_sdk.labels import GC_REF_CONTENT
from moorage_sdk.platforms import Platform, normalize, preference
from moorage_transfer_local.documents import invalid, load

MAX_CONFIG = 8 << 20
"""Bytes of an image configuration."""

MAX_CHILDREN = 4096
"""Entries of an index or layers of a manifest; the largest public ones have some hundreds."""

MAX_DEPTH = 8
"""Indexes within indexes that are followed."""

SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
_CHECKPOINTS = frozenset(
    {
        "application/vnd.containerd.container.criu.checkpoint.criu.tar",
        "application/vnd.containerd.container.checkpoint.config.v1+proto",
    }
)
_REF_NAME = "org.opencontainers.image.ref.name"
_SUBJECT = "io.containerd.manifest.subject"


@dataclass(frozen=True)
class Entry:
    """A manifest or index as an index lists it."""

    descriptor: Descriptor
    platform: Platform | None = None


@dataclass(frozen=True)
class Index:
    entries: tuple[Entry, ...]

    @property
    def children(self) -> tuple[Descriptor, ...]:
        return tuple(entry.descriptor for entry in self.entries)


@dataclass(frozen=True)
class Manifest:
    """``layers`` are all blobs beside the configuration, the lowest layer first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def children(self) -> tuple[Descriptor, ...]:
        return (self.config, *self.layers)


@dataclass(frozen=True)
class Config:
    """What of an image's configuration unpacking depends on. ``diff_ids``: of the lowest layer first."""

    platform: Platform
    diff_ids: tuple[str, ...]


def check_depth(descriptor: Descriptor, depth: int) -> None:
    """Raises errors.InvalidArgument for what lies deeper within indexes than is followed; 0 is the image's target."""
    if depth > MAX_DEPTH:
        raise invalid(f'index "{descriptor.digest}"', f"more than {MAX_DEPTH} within each other")


def parse(data: bytes, descriptor: Descriptor) -> Index | Manifest:
    """Read the document that ``descriptor`` points to. Raises errors.InvalidArgument."""
    subject = f'manifest "{descriptor.digest}"'
    if descriptor.media_type in SCHEMA_1:
        raise invalid(subject, "schema 1 is no longer supported")
    document = load(data, subject)
    _unambiguous(document, descriptor.media_type, subject)
    if descriptor.media_type in INDEXES:
        return Index(tuple(_entry(item, subject) for item in _list(document, "manifests", subject)))
    if descriptor.media_type in MANIFESTS:
        layers = tuple(_descriptor(item, subject) for item in _list(document, "layers", subject))
        return Manifest(_descriptor(document.get("config"), subject), layers)
    raise invalid(subject, f'media type "{descriptor.media_type}" is neither an index nor a manifest')


def parse_config(data: bytes, descriptor: Descriptor) -> Config:
    """Read an image configuration. Raises errors.InvalidArgument."""
    subject = f'image configuration "{descriptor.digest}"'
    document = load(data, subject)
    rootfs = document.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or not all(isinstance(item, str) for item in diff_ids):
        raise invalid(subject, '"rootfs.diff_ids" is missing or not a list of digests')
    return Config(_platform(document, subject), tuple(digests.validate(item) for item in diff_ids))


def parse_platform(data: bytes, descriptor: Descriptor) -> Platform:
    """The platform that an image configuration names. Raises errors.InvalidArgument."""
    subject = f'image configuration "{descriptor.digest}"'
    return _platform(load(data, subject), subject)


def choose(entries: Sequence[Entry], wanted: Sequence[Platform]) -> tuple[Entry, ...]:
    """The entries to pull: for each of ``wanted`` the best; all for none wanted.

    Entries without a platform count only when nothing with one fits: their configuration then has to decide.
    """
    if not wanted:
        return tuple(entries)
    chosen: dict[str, Entry] = {}
    for platform in wanted:
        ranked = [(rank, n) for n, entry in enumerate(entries) if (rank := _rank(platform, entry)) is not None]
        if ranked:
            best = entries[min(ranked)[1]]
            chosen[best.descriptor.digest] = best
        else:
            chosen.update((entry.descriptor.digest, entry) for entry in entries if entry.platform is None)
    return tuple(chosen.values())


def reference_labels(children: Sequence[Descriptor]) -> dict[str, str]:
    """Labels that keep the children of an index or manifest from collection (``ChildGCLabels`` in containerd)."""
    labels: dict[str, str] = {}
    counts: dict[str, int] = {}
    for child in children:
        name = _reference_name(child)
        count = counts.get(name, 0)
        counts[name] = count + 1
        suffix = str(count) if name.endswith(".") or count else ""
        if name.endswith("sha256."):
            suffix = digests.split(child.digest)[1][:12]
        labels[f"{GC_REF_CONTENT}{name}{suffix}"] = child.digest
    return labels


def ingest_reference(descriptor: Descriptor) -> str:
    """The reference under which a blob is fetched; clients that fetch by themselves use the same (``MakeRefKey``)."""
    name = descriptor.annotations.get(_REF_NAME)
    key = f"{name}@{descriptor.digest}" if name else descriptor.digest
    kinds = (
        ("manifest", descriptor.media_type in MANIFESTS),
        ("index", descriptor.media_type in INDEXES),
        ("layer", is_layer(descriptor.media_type)),
        ("config", descriptor.media_type in CONFIGS | _CHECKPOINTS),
        ("attestation", descriptor.media_type == "application/vnd.in-toto+json"),
    )
    return next((kind for kind, fits in kinds if fits), "unknown") + f"-{key}"


def _reference_name(child: Descriptor) -> str:
    if _SUBJECT in child.annotations:
        return ".referrer.sha256."
    if child.media_type in CONFIGS | _CHECKPOINTS:
        return ".config"
    if child.media_type in MANIFESTS:
        return ".m."
    return ".l." if is_layer(child.media_type) else "."


def _rank(wanted: Platform, entry: Entry) -> int | None:
    return preference(wanted, entry.platform) if entry.platform is not None else None


def _unambiguous(document: Mapping[str, Any], media_type: str, subject: str) -> None:
    """Compare what the document is said to be with what it says and looks like."""
    own = document.get("mediaType", "")
    if document.get("fsLayers"):
        raise invalid(subject, "schema 1 is no longer supported")
    if media_type in MANIFESTS and ("manifests" in document or own in INDEXES):
        raise invalid(subject, "expected a manifest, found an index")
    if media_type in INDEXES and ("config" in document or "layers" in document or own in MANIFESTS):
        raise invalid(subject, "expected an index, found a manifest")


def _list(document: Mapping[str, Any], key: str, subject: str) -> list[Any]:
    items = document.get(key)
    if items is None and key == "layers":
        return []
    if not isinstance(items, list) or len(items) > MAX_CHILDREN:
        raise invalid(subject, f'"{key}" is not a list of at most {MAX_CHILDREN}')
    return items


def _entry(item: Any, subject: str) -> Entry:
    descriptor = _descriptor(item, subject)
    platform = item.get("platform")
    return Entry(descriptor, _platform(platform, subject) if platform is not None else None)


def _descriptor(item: Any, subject: str) -> Descriptor:
    """``urls`` and ``data`` are not read: bytes come from the registry and no other server (CVE-2020-15157)."""
    if not isinstance(item, dict):
        raise invalid(subject, "a descriptor is not an object")
    media_type, digest, size = item.get("mediaType"), item.get("digest"), item.get("size")
    if not isinstance(media_type, str) or not isinstance(digest, str):
        raise invalid(subject, "a descriptor lacks media type or digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 62:
        raise invalid(subject, f'size of "{digest[:140]}" is not a number of bytes')
    annotations = item.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise invalid(subject, f'annotations of "{digest[:140]}" are not strings')
    return Descriptor(media_type, digests.validate(digest), size, annotations)


def _platform(item: Any, subject: str) -> Platform:
    fields = ("os", "architecture", "variant", "os.version")
    values = [item.get(name) or "" for name in fields] if isinstance(item, dict) else [None]
    if not all(isinstance(value, str) for value in values):
        raise invalid(subject, "a platform is malformed")
    return normalize(Platform(*values))
