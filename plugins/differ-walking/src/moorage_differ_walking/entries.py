"""The entries of a tar archive, one by one, from a stream that is read once.

What Go's ``archive/tar`` accepts is accepted, for images were checked by it; what it merges is merged in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from moorage_differ_walking import extensions, headers
from moorage_differ_walking.cursors import Cursor
from moorage_differ_walking.extensions import Extent
from moorage_differ_walking.headers import BLOCK, Header
from moorage_differ_walking.limits import Limits
from moorage_sdk import errors

_XATTR = b"SCHILY.xattr."


@dataclass(slots=True)
class Entry:
    """``name`` and ``link`` as they stand in the archive, times in nanoseconds since the epoch.

    ``size`` bytes follow in the stream; a sparse file has the pieces of ``extents`` in them and is ``length`` long.
    """

    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    atime: int
    link: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    extents: list[Extent] | None = None
    length: int = 0


class Archive:
    """Iterate over it for the entries; ``data`` gives the bytes of the one just returned, once and at will.

    ``plain`` may take entries before they are parsed: it is given a chunk and the offset in it of the next header, and
    returns the bytes of the whole entries that it dealt with.
    """

    def __init__(self, cursor: Cursor, limits: Limits, plain: Callable[[bytes, int], int] | None = None) -> None:
        self._plain = plain
        self._cursor = cursor
        self._limits = limits
        self._end = 0
        self._spent = 0

    def __iter__(self) -> Iterator[Entry]:
        """Raises errors.InvalidArgument, errors.DataLoss for a truncated archive, errors.ResourceExhausted."""
        while (entry := self._next_but_plain()) is not None:
            yield entry
            # What the reader left of the data, and the padding of the last block.
            self._cursor.skip(self._end + (-entry.size) % BLOCK - self._cursor.position)

    def data(self, entry: Entry) -> Iterator[memoryview]:
        """Raises errors.DataLoss."""
        return self._cursor.pieces(entry.size)

    def _next_but_plain(self) -> Entry | None:
        if self._plain:
            self._cursor.advance(self._plain(*self._cursor.rest()))
        return self._next()

    def _next(self) -> Entry | None:
        self._spent = 0
        records: dict[bytes, bytes] = {}
        name = link = b""
        while True:
            block = self._cursor.block()
            if block is None:
                return None
            if block == headers.ZERO:
                self._check_end()
                return None
            header = headers.parse(block)
            if header.type == headers.PAX:
                records = extensions.records(self._special(header))
            elif header.type == headers.GNU_NAME:
                name = headers.text(self._special(header))
            elif header.type == headers.GNU_LINK:
                link = headers.text(self._special(header))
            elif header.type == headers.PAX_GLOBAL:
                # Neither Go nor any writer of layers lets global records change entries.
                self._special(header)
            else:
                return self._entry(header, block, records, name, link)

    def _check_end(self) -> None:
        """A second block of zeros ends the archive; missing, it is forgiven, since writers forget it."""
        block = self._cursor.block()
        if block is not None and block != headers.ZERO:
            raise errors.InvalidArgument("layer: single block of zeros in the archive: malformed: invalid argument")

    def _special(self, header: Header) -> bytes:
        """The content of a header that only describes the next one."""
        if header.size < 0:
            raise errors.InvalidArgument("layer: negative size in a header: malformed: invalid argument")
        self._spend(BLOCK + header.size)
        data = self._cursor.take(header.size)
        self._cursor.skip(-header.size % BLOCK)
        return data

    def _spend(self, size: int) -> None:
        self._spent += size
        self._limits.check("headers of", self._spent, self._limits.header)

    def _block(self) -> bytes:
        self._spend(BLOCK)
        return self._cursor.take(BLOCK)

    def _entry(self, header: Header, block: bytes, records: dict[bytes, bytes], name: bytes, link: bytes) -> Entry:
        mtime = header.mtime * 10**9
        entry = Entry(
            header.name, header.type, header.mode, header.uid, header.gid, header.size, mtime, mtime, header.link,
        )  # fmt: skip
        if records:
            self._merge(entry, records)
        # GNU's long names lie over everything else, as in Go.
        entry.name, entry.link = name or entry.name, link or entry.link
        if entry.type in (headers.CHAR, headers.DEVICE):
            entry.device = (headers.number(header.devices[0]), headers.number(header.devices[1]))
        if entry.type == headers.REGULAR_OLD:
            entry.type = headers.DIRECTORY if entry.name.endswith(b"/") else headers.REGULAR
        if entry.type in headers.WITHOUT_DATA:
            entry.size = 0
        if entry.size < 0:
            raise errors.InvalidArgument("layer: negative size in a header: malformed: invalid argument")
        self._sparse(entry, header, block, records)
        self._limits.check("name of", len(entry.name), self._limits.path)
        self._end = self._cursor.position + entry.size
        return entry

    def _merge(self, entry: Entry, records: dict[bytes, bytes]) -> None:
        """Lay PAX records over the header; an empty value means that the header holds, as in Go."""
        for key, value in records.items():
            if key.startswith(_XATTR):
                self._limits.check("extended attribute of", len(value), self._limits.xattr)
                entry.xattrs[key.removeprefix(_XATTR)] = value
            elif not value:
                continue
            elif key == b"path":
                entry.name = value
            elif key == b"linkpath":
                entry.link = value
            elif key == b"size":
                entry.size = extensions.integer(value)
            elif key == b"uid":
                entry.uid = extensions.integer(value)
            elif key == b"gid":
                entry.gid = extensions.integer(value)
            elif key == b"mtime":
                entry.mtime = extensions.time(value)
            elif key == b"atime":
                entry.atime = extensions.time(value)
        self._limits.check("extended attributes of", sum(map(len, entry.xattrs.values())), self._limits.xattrs)
        entry.atime = max(entry.atime, entry.mtime)

    def _sparse(self, entry: Entry, header: Header, block: bytes, records: dict[bytes, bytes]) -> None:
        if entry.type == headers.GNU_SPARSE:
            if not header.gnu:
                raise errors.InvalidArgument("layer: sparse file without GNU header: malformed: invalid argument")
            entry.extents, entry.length = extensions.sparse_old(block, self._block)
            entry.type = headers.REGULAR
        elif records and entry.type == headers.REGULAR and (version := extensions.sparse_version(records)):
            entry.name = records.get(b"GNU.sparse.name") or entry.name
            length = records.get(b"GNU.sparse.size") or records.get(b"GNU.sparse.realsize")
            before = self._cursor.position
            if version == "1.0":
                entry.extents = extensions.sparse_blocks(self._block)
            else:
                entry.extents = extensions.sparse_list(records.get(extensions.MAP, b""))
            entry.size -= self._cursor.position - before
            entry.length = extensions.integer(length) if length else entry.size
        if entry.extents is not None:
            extensions.check_sparse(entry.extents, entry.length, entry.size)
