"""Writing a tar stream that depends on nothing but its content: no owner, no time.

Headers are byte for byte those that ``archive/tar`` of Go writes for such files, so that an archive of the same images
is the same as containerd's.
"""

from __future__ import annotations

from moorage_sdk import errors
from moorage_tars.compressions import Sink
from moorage_tars.entries import BLOCK

_FILE, _DIRECTORY, _EXTENDED = b"0", b"5", b"x"
_OCTAL_LIMIT, _NAME = 1 << 33, 100
"""What eleven octal digits or a hundred bytes cannot hold goes into an extended header."""


class Writer:
    """Writes into ``sink``. ``close`` writes the end mark and leaves the sink open."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._left = 0
        self._padding = 0

    def directory(self, name: str, mode: int) -> None:
        self._begin(name, mode, 0, _DIRECTORY)

    def file(self, name: str, mode: int, size: int) -> None:
        """Begin a file; ``write`` its ``size`` bytes then."""
        records = _record("path", name) if len(name.encode()) > _NAME else b""
        records += _record("size", str(size)) if size >= _OCTAL_LIMIT else b""
        if records:
            folder, _, last = name.rpartition("/")
            self._begin(f"{folder}/PaxHeaders.0/{last}".lstrip("/"), 0, len(records), _EXTENDED)
            self.write(records)
        self._begin(name, mode, size, _FILE)

    def write(self, data: bytes) -> None:
        """The next bytes of the file. Raises errors.Internal for more than were announced."""
        if len(data) > self._left:
            raise errors.Internal(f"archive: {len(data) - self._left} bytes more than announced: internal")
        self._sink.write(data)
        self._left -= len(data)

    def close(self) -> None:
        """Raises errors.Internal when the last file lacks bytes."""
        self._end()
        self._sink.write(bytes(2 * BLOCK))

    def _begin(self, name: str, mode: int, size: int, kind: bytes) -> None:
        self._end()
        self._sink.write(_header(name, mode, size, kind))
        self._left, self._padding = size, -size % BLOCK

    def _end(self) -> None:
        if self._left:
            raise errors.Internal(f"archive: {self._left} bytes less than announced: internal")
        if self._padding:
            self._sink.write(bytes(self._padding))
            self._padding = 0


def _header(name: str, mode: int, size: int, kind: bytes) -> bytes:
    text = name.encode()[:_NAME]
    block = bytearray(BLOCK)
    block[: len(text)] = text
    block[100:108] = b"%07o\0" % mode
    block[108:116] = block[116:124] = b"%07o\0" % 0
    block[124:136] = b"%011o\0" % (size if size < _OCTAL_LIMIT else 0)
    block[136:148] = b"%011o\0" % 0
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[329:337] = block[337:345] = b"%07o\0" % 0
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def _record(key: str, value: str) -> bytes:
    """``length key=value\\n``, where the length counts itself (pax)."""
    body = f" {key}={value}\n".encode()
    size = len(body) + len(str(len(body)))
    size = len(body) + len(str(size))
    return str(size).encode() + body
