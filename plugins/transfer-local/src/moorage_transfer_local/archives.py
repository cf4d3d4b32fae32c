"""Archives: what is in a tar of images, stored as it comes.

A tar cannot be read twice, so every file goes into the store before it is known whether anything names it; what nothing
names is collected later. The names of members are names and nothing else: no file of the host is ever opened by them.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Any

from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.transfers import Source
from moorage_tars import entries
from moorage_tars.compressions import Plain
from moorage_transfer_local.documents import invalid, load, load_list
from moorage_transfer_local.ingests import shown, store_stream
from moorage_transfer_local.stops import Stop

JSON_LIMIT = 20 << 20
"""Bytes of ``manifest.json`` and its like (core/images/archive/importer.go in containerd v2.3, CVE-2023-25153)."""

MAX_MEMBERS = 1 << 16
MAX_NAME = 4096
LAYOUT, INDEX, MANIFEST = "oci-layout", "index.json", "manifest.json"

_BLOB = re.compile(r"blobs/([a-z0-9]+)/([a-f0-9]+)")


@dataclass
class Archive:
    """Blobs by their path in the archive, without a media type; links; and the two documents that say what it is."""

    blobs: dict[str, Descriptor] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    layout: dict[str, Any] | None = None
    manifest: list[Any] | None = None

    def find(self, path: str) -> Descriptor | None:
        path = _clean(path)
        return self.blobs.get(path) or self.blobs.get(self.links.get(path, ""))


def read(source: Source, content: ContentStore, stop: Stop, *, compressed: bool) -> Archive:
    """Read an archive to its end. With ``compressed`` gzip and zstd are taken off if they are there.

    Raises errors.InvalidArgument, errors.DataLoss, and as the source and the store do.
    """
    archive = Archive()
    seen: set[str] = set()
    for number, entry in enumerate(entries.entries(Plain(source, sniff=compressed))):
        if number == MAX_MEMBERS:
            raise invalid("archive", f"more than {MAX_MEMBERS} members")
        if len(entry.name) > MAX_NAME or len(entry.target) > MAX_NAME:
            raise invalid("archive", f"name of more than {MAX_NAME} characters")
        stop.check()
        path = _clean(entry.name)
        if path in (LAYOUT, INDEX, MANIFEST):
            # Readers differ in which of two they take, and only one of them may have been looked at by someone.
            if path in seen:
                raise invalid("archive", f'more than one "{path}"')
            seen.add(path)
        _take(archive, path, entry, content, stop)
    return archive


def _take(archive: Archive, path: str, entry: entries.Entry, content: ContentStore, stop: Stop) -> None:
    if entry.kind in (entries.SYMLINK, entries.LINK):
        base = posixpath.dirname(path) if entry.kind == entries.SYMLINK else ""
        archive.links[path] = _clean(posixpath.join(base, entry.target))
    elif entry.kind != entries.REGULAR:
        return
    elif path == LAYOUT:
        archive.layout = load(_document(entry), f'archive: "{LAYOUT}"')
    elif path == MANIFEST:
        archive.manifest = load_list(_document(entry), f'archive: "{MANIFEST}"')
    else:
        digest = store_stream(content, path, entry.pieces(), stop, size=entry.size, expected=_expected(path))
        archive.blobs[path] = Descriptor("", digest, entry.size)


def _document(entry: entries.Entry) -> bytes:
    if entry.size > JSON_LIMIT:
        raise errors.ResourceExhausted(
            f'archive: "{shown(entry.name)}": {entry.size} bytes, larger than the limit of {JSON_LIMIT}'
        )
    return b"".join(entry.pieces())


def _expected(path: str) -> str:
    """The digest that a file has by its name. Of other algorithms than the store's it is checked by nobody."""
    named = _BLOB.fullmatch(path)
    if named is None or named[1] != "sha256":
        return ""
    return digests.validate(f"{named[1]}:{named[2]}")


def _clean(name: str) -> str:
    return posixpath.normpath(name)
