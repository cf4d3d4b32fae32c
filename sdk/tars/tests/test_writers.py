"""Archives that are written can be read by everybody, and depend on nothing but their content."""

from __future__ import annotations

import io
import tarfile

import pytest

from moorage_sdk import errors
from moorage_tars import entries
from moorage_tars.writers import Writer


class Counting:
    """A sink that remembers headers and forgets zeros."""

    def __init__(self) -> None:
        self.size = 0
        self.kept = bytearray()

    def write(self, data: bytes, /) -> None:
        self.size += len(data)
        if len(data) <= 512:
            self.kept += data


def test_files_and_directories() -> None:
    sink = io.BytesIO()
    writer = Writer(sink)
    writer.directory("blobs/", 0o755)
    writer.file("blobs/a", 0o444, 700)
    writer.write(b"x" * 300)
    writer.write(b"y" * 400)
    writer.file("empty", 0o644, 0)
    writer.close()
    assert len(sink.getvalue()) == 512 * (1 + 3 + 1 + 2)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        folder, file, empty = archive.getmembers()
        assert (folder.name, folder.isdir(), folder.mode) == ("blobs", True, 0o755)
        assert (file.name, file.mode, file.mtime, file.uid, file.uname) == ("blobs/a", 0o444, 0, 0, "")
        content = archive.extractfile(file)
        assert content is not None and content.read() == b"x" * 300 + b"y" * 400
        assert empty.size == 0


@pytest.mark.parametrize("name", ["n" * 100, "blobs/sha512/" + "a" * 128, "ä" * 99])
def test_names_of_any_length(name: str) -> None:
    sink = io.BytesIO()
    writer = Writer(sink)
    writer.file(name, 0o444, 3)
    writer.write(b"abc")
    writer.close()
    sink.seek(0)
    assert [(each.name, b"".join(each.pieces())) for each in entries.entries(sink)] == [(name, b"abc")]
    sink.seek(0)
    with tarfile.open(fileobj=sink) as archive:
        assert archive.getnames() == [name]


@pytest.mark.parametrize("size", [(1 << 33) - 1, 1 << 33])
def test_sizes_around_what_octal_digits_hold(size: int) -> None:
    sink = Counting()
    Writer(sink).file("big", 0o444, size)
    [entry] = [next(entries.entries(io.BytesIO(bytes(sink.kept))))]
    assert (entry.name, entry.size) == ("big", size)
    assert sink.size == (512 if size < 1 << 33 else 3 * 512)


def test_a_file_has_the_bytes_that_were_announced() -> None:
    writer = Writer(io.BytesIO())
    writer.file("a", 0o444, 3)
    writer.write(b"ab")
    with pytest.raises(errors.Internal, match="1 bytes less"):
        writer.close()
    with pytest.raises(errors.Internal, match="2 bytes more"):
        writer.write(b"cde")
