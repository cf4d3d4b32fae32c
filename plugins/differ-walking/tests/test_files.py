from pathlib import Path

from moorage_differ_walking import files
from moorage_differ_walking.entries import Entry


def pieces(*data: bytes) -> files.Data:
    return iter([memoryview(piece) for piece in data])


def test_everything_is_written(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb") as file:
        files.write(file.fileno(), pieces(b"abc", b"", b"x" * 3_000_000))
    assert (tmp_path / "f").read_bytes() == b"abc" + b"x" * 3_000_000


def test_pieces_and_extents_need_not_agree(tmp_path: Path) -> None:
    entry = Entry(b"s", b"0", 0o644, 0, 0, 10, 0, 0, extents=[(0, 3), (5, 0), (6, 4), (20, 3)], length=30)
    with open(tmp_path / "s", "wb") as file:
        files.write_sparse(file.fileno(), entry, pieces(b"ab", b"cdef", b"gh", b"ij"))
    assert (tmp_path / "s").read_bytes() == b"abc\0\0\0defg" + bytes(10) + b"hij" + bytes(7)
    assert (tmp_path / "s").stat().st_size == 30
