import io
import tarfile

import pytest

from moorage_differ_walking.cursors import Cursor
from moorage_differ_walking.entries import Archive
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.tar_writers import Item, TarWriter

ITEMS = [
    (Item(b"d/", b"5", 0o2755, 1, 2, 0, 1000), b""),
    (Item(b"d/f", b"0", 0o4755, 3_000_000, 4, 700, 2000, xattrs={b"user.a": b"\0\xff"}), b"x" * 700),
    (Item(b"n" * 300, b"0", 0o600, size=1), b"y"),
    (Item("ü".encode() * 40, b"2", 0o777, link=b"t" * 200), b""),
    (Item(b"null", b"3", 0o666, device=(1, 3)), b""),
    (Item(b"old", b"0", mtime=-5), b""),
    (Item(b"far", b"0", mtime=8**11), b""),
    (Item(b"l", b"1", link=b"d/f"), b""),
]


def write(items: list[tuple[Item, bytes]]) -> bytes:
    pieces: list[bytes] = []
    writer = TarWriter(lambda data: pieces.append(bytes(data)))
    for item, data in items:
        writer.add(item, iter([data[:300], data[300:]]) if data else None)
    writer.close()
    return b"".join(pieces)


def test_our_reader_reads_it() -> None:
    archive = Archive(Cursor(iter([write(ITEMS)])), Limits())
    found = [(entry, b"".join(archive.data(entry))) for entry in archive]
    for (entry, data), (item, wanted) in zip(found, ITEMS, strict=True):
        assert (entry.name, entry.type, entry.mode, entry.uid, entry.gid) == (
            item.name, item.type, item.mode, item.uid, item.gid,
        )  # fmt: skip
        assert (entry.mtime, entry.link, entry.device) == (item.mtime * 10**9, item.link, item.device)
        assert (entry.xattrs, data) == (dict(item.xattrs), wanted)


def test_others_read_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(write(ITEMS))) as tar:
        names = [member.name for member in tar.getmembers()]
    assert names == [item.name.decode().rstrip("/") for item, _ in ITEMS]


def test_plain_entries_take_one_block() -> None:
    assert len(write([(Item(b"f", b"0", 0o644, 1, 2, 0, 5), b"")])) == 3 * 512


@pytest.mark.parametrize("data", [b"", b"x" * 9, b"x" * 11])
def test_data_of_another_length_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="instead of 10"):
        write([(Item(b"f", b"0", size=10), data or b"")])
