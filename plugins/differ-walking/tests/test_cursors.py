import pytest

from moorage_differ_walking.cursors import Cursor
from moorage_sdk import errors


def cursor(*chunks: bytes) -> Cursor:
    return Cursor(iter(chunks))


def test_blocks_across_chunks() -> None:
    data = bytes(range(256)) * 6
    for size in (1, 7, 511, 512, 513, 1024, 5000):
        blocks = cursor(*(data[at : at + size] for at in range(0, len(data), size)))
        assert [blocks.block(), blocks.block(), blocks.block(), blocks.block()] == [
            data[:512], data[512:1024], data[1024:], None,
        ]  # fmt: skip


def test_end_within_a_block_is_data_loss() -> None:
    with pytest.raises(errors.DataLoss, match="unexpected EOF"):
        cursor(b"x" * 511).block()
    with pytest.raises(errors.DataLoss):
        cursor(b"abc").take(4)
    with pytest.raises(errors.DataLoss):
        cursor(b"abc").skip(4)


def test_pieces_are_not_copied_and_position_counts() -> None:
    chunk = b"0123456789"
    reader = cursor(chunk, b"", b"abc")
    reader.skip(2)
    pieces = list(reader.pieces(10))
    assert [bytes(piece) for piece in pieces] == [b"23456789", b"ab"]
    assert pieces[0].obj is chunk
    assert reader.position == 12
    reader.drain()
    assert reader.position == 13


def test_drain_reads_everything() -> None:
    reader = cursor(*[bytes(1000)] * 5)
    reader.take(10)
    reader.drain()
    assert reader.position == 5000
    assert reader.block() is None


def test_rest_is_what_lies_ready_and_can_be_passed_by() -> None:
    cursor = Cursor(iter([b"abc", b"", b"def"]))
    assert cursor.rest() == (b"abc", 0)
    cursor.advance(2)
    assert cursor.rest() == (b"abc", 2)
    cursor.advance(1)
    assert cursor.rest() == (b"def", 0)
    assert cursor.take(3) == b"def"
    assert cursor.rest() == (b"", 0)
    assert cursor.position == 6
