"""Inventories: what an image in the store consists of, in the order in which a registry has to learn of it.

A registry takes a manifest only when it has what that lists: blobs come first, then manifests, then indexes, of which
the innermost comes first (``PushContent`` in containerd's core/remotes/handlers.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from moorage_sdk import errors, platforms
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import INDEXES, MANIFESTS, Descriptor
from moorage_sdk.platforms import Platform
from moorage_transfer_local.manifests import Entry, Index, Manifest, check_depth, parse
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import MAX_MANIFEST


@dataclass(frozen=True)
class Blob:
    """A configuration, layer or anything else that lists nothing. ``seen``: value of its label of sources, or ""."""

    descriptor: Descriptor
    seen: str = ""


@dataclass(frozen=True)
class Inventory:
    """Everything once, ``indexes`` with the innermost first."""

    blobs: tuple[Blob, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    indexes: tuple[Descriptor, ...] = ()


def read(content: ContentStore, descriptor: Descriptor) -> bytes:
    """A manifest or index from the store. Raises errors.NotFound, errors.ResourceExhausted, errors.DataLoss."""
    if descriptor.size > MAX_MANIFEST:
        raise errors.ResourceExhausted(
            f'blob "{descriptor.digest}": {descriptor.size} bytes, larger than the limit of {MAX_MANIFEST}'
        )
    with content.reader(descriptor.digest) as reader:
        check_size(reader.size, descriptor)
        return reader.read_at(0, descriptor.size) if descriptor.size else b""


def check_size(size: int, descriptor: Descriptor) -> None:
    """Raises errors.DataLoss when a blob of the store has another size than is said of it."""
    if size != descriptor.size:
        raise errors.DataLoss(f'blob "{descriptor.digest}": {size} bytes and not {descriptor.size}: data loss')


@dataclass
class Surveyor:
    """Takes the inventory of one image. ``label`` is that of sources at the registry; ``tracker`` hears of everything.

    Of an index that lists several platforms those of ``platforms`` are taken, all where that is empty.
    """

    content: ContentStore
    tracker: Tracker
    label: str
    platforms: Sequence[Platform] = ()
    _blobs: dict[str, Blob] = field(default_factory=dict)
    _manifests: list[Descriptor] = field(default_factory=list)
    _indexes: list[Descriptor] = field(default_factory=list)
    _visited: set[str] = field(default_factory=set)

    def survey(self, target: Descriptor) -> Inventory:
        """Raises errors.NotFound for a manifest that is not in the store, or when no platform fits.

        Blobs may be missing: the registry may have them.
        """
        self._visit(target, "", 0)
        if self.platforms and self._indexes and not self._manifests:
            wanted = ", ".join(str(platform) for platform in self.platforms)
            raise errors.NotFound(f'index "{target.digest}": no match for platform {wanted}: not found')
        return Inventory(tuple(self._blobs.values()), tuple(self._manifests), tuple(self._indexes))

    def _visit(self, descriptor: Descriptor, seen: str, depth: int) -> None:
        """``seen`` is what the parent's label says: registries have the children of what they have."""
        check_depth(descriptor, depth)
        self.tracker.wanted(descriptor)
        seen = self._labels(descriptor).get(self.label, "") or seen
        if descriptor.media_type not in INDEXES | MANIFESTS:
            self._blobs.setdefault(descriptor.digest, Blob(descriptor, seen))
            return
        if descriptor.digest in self._visited:
            return
        self._visited.add(descriptor.digest)
        children = list(self._children(parse(self._document(descriptor, depth), descriptor)))
        self.tracker.children(descriptor, children)
        for child in children:
            self._visit(child, seen, depth + 1)
        listed = self._indexes if descriptor.media_type in INDEXES else self._manifests
        listed.append(descriptor)

    def _document(self, descriptor: Descriptor, depth: int) -> bytes:
        try:
            return read(self.content, descriptor)
        except errors.NotFound as error:
            if not depth:
                raise
            hint = "not every platform of the image is in the store; choose one that is, or pull the others"
            raise errors.NotFound(error.message, hint=hint) from error

    def _children(self, document: Index | Manifest) -> Iterator[Descriptor]:
        if isinstance(document, Manifest):
            yield from document.children
            return
        for entry in document.entries:
            if self._fits(entry):
                yield entry.descriptor

    def _fits(self, entry: Entry) -> bool:
        """Whether one platform is meant exactly (``platforms.NewMatcher`` in containerd); no platform fits all."""
        if not self.platforms or entry.platform is None:
            return True
        return platforms.rank(self.platforms, entry.platform) < len(self.platforms)

    def _labels(self, descriptor: Descriptor) -> Mapping[str, str]:
        try:
            return self.content.info(descriptor.digest).labels
        except errors.NotFound:
            return {}
