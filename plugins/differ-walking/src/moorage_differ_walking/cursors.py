"""A stream of chunks, read in exact sizes."""

from __future__ import annotations

from collections.abc import Iterator

from moorage_sdk import errors


class Cursor:
    """Reads forward through ``chunks``; ``position`` counts the bytes taken."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self.position = 0

    def block(self) -> bytes | None:
        """512 bytes, or None at the end of the stream. Raises errors.DataLoss when it ends within them."""
        at = self._at
        block = self._chunk[at : at + 512]
        if len(block) == 512:
            self._at = at + 512
            self.position += 512
            return block
        if not block and not self._more():
            return None
        return self.take(512)

    def rest(self) -> tuple[bytes, int]:
        """What is there already, as a chunk and the offset in it of the next byte; empty at the end of the stream."""
        if self._at == len(self._chunk) and not self._more():
            return b"", 0
        return self._chunk, self._at

    def advance(self, size: int) -> None:
        """Go on after ``size`` bytes of the ``rest``."""
        self._at += size
        self.position += size

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises errors.DataLoss when the stream ends before."""
        return b"".join(self.pieces(size))

    def pieces(self, size: int) -> Iterator[memoryview]:
        """``size`` bytes as they come, without copying. Raises errors.DataLoss when the stream ends before."""
        while size:
            if self._at == len(self._chunk) and not self._more():
                raise errors.DataLoss("layer: ends in the middle of an entry: unexpected EOF: data loss")
            piece = memoryview(self._chunk)[self._at : self._at + size]
            self._at += len(piece)
            self.position += len(piece)
            size -= len(piece)
            yield piece

    def skip(self, size: int) -> None:
        """Raises errors.DataLoss when the stream ends before."""
        for _ in self.pieces(size):
            continue

    def drain(self) -> None:
        """Read to the end of the stream."""
        self.position += len(self._chunk) - self._at
        self._at = len(self._chunk)
        while self._more():
            self.position += len(self._chunk)
            self._at = len(self._chunk)

    def _more(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._chunk, self._at = chunk, 0
                return True
        return False
