from collections.abc import Mapping

import pytest

from moorage_sdk import content
from moorage_sdk.content import CONTENT, ContentStore, Reader, Status, Writer


class Bytes(Reader):
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.closed = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]

    def close(self) -> None:
        self.closed += 1


class Memory(Writer):
    def __init__(self) -> None:
        self.data = b""
        self.closed = 0

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self.data += bytes(data)
        return len(data)

    def truncate(self, size: int) -> None:
        self.data = self.data[:size]

    def status(self) -> Status:
        return Status("ref", len(self.data))

    def digest(self) -> str:
        return ""

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        return self.digest()

    def close(self) -> None:
        self.closed += 1


def test_leaving_the_block_closes_whatever_happens() -> None:
    reader = Bytes(b"abc")
    with reader as opened:
        assert opened is reader and opened.read_at(1, 5) == b"bc"
    assert reader.closed == 1
    writer = Memory()
    with pytest.raises(KeyError), writer:
        writer.write(b"abc")
        raise KeyError
    assert (writer.closed, writer.status().offset) == (1, 3)


def test_a_reader_need_not_have_a_descriptor() -> None:
    assert Bytes(b"").fileno() == -1


def test_an_implementer_cannot_forget_a_method() -> None:
    class Half(ContentStore):
        def info(self, digest: str) -> content.Info:
            return content.Info(digest)

    with pytest.raises(TypeError, match="abort"):
        Half()  # type: ignore[abstract]


def test_the_slot_is_containerds() -> None:
    assert (CONTENT.name, CONTENT.type) == ("content", "io.containerd.content.v1")
