from __future__ import annotations

import datetime

import pytest

from moorage_runtime_runc import entries, uris
from moorage_runtime_runc.entries import LONGEST_LINE, MAX_LINE, Entries, Format, Raw
from moorage_sdk import errors

NOW = 1_700_000_000_000_000_007
TIME = b"2023-11-14T22:13:20.000000007Z"


def texts(data: bytes, max_line: int = MAX_LINE, *, ended: bool = False) -> tuple[list[bytes], int]:
    """The entries without their time and stream, and how many bytes were used."""
    text, used = Entries(max_line).encode("stderr", data, NOW, ended=ended)
    lines = text.split(b"\n")
    assert lines.pop() == b""
    start = TIME + b" stderr "
    assert all(line.startswith(start) for line in lines)
    return [line.removeprefix(start) for line in lines], used


def test_the_time_is_one_that_readers_know() -> None:
    text, _ = Entries().encode("stdout", b"x\n", NOW, ended=False)
    assert text == TIME + b" stdout F x\n"
    read = datetime.datetime.strptime(text[:26].decode() + "+0000", "%Y-%m-%dT%H:%M:%S.%f%z")
    assert int(read.timestamp()) == NOW // 1_000_000_000


@pytest.mark.parametrize(
    ("data", "expected", "used"),
    [
        (b"", [], 0),
        (b"no end", [], 0),
        (b"one\ntwo\n", [b"F one", b"F two"], 8),
        (b"one\n\n\ntwo", [b"F one", b"F ", b"F "], 6),
        (b"dos\r\n\r\nr\r\r\nin\rside\n", [b"F dos", b"F ", b"F r\r", b"F in\rside"], 19),
        (b"12345678\n", [b"F 12345678"], 9),
        (b"123456789\n", [b"P 12345678", b"F 9"], 10),
        (b"1234567812345678\nx\n", [b"P 12345678", b"F 12345678", b"F x"], 19),
        (b"12345678", [], 0),  # it may be a whole line
        (b"12345678\r", [], 0),
        (b"12345678\r\n", [b"F 12345678"], 10),
        (b"123456789", [b"P 12345678"], 8),
        (b"x\n12345678123456789", [b"F x", b"P 12345678", b"P 12345678"], 18),
    ],
)
def test_lines_and_parts_of_lines(data: bytes, expected: list[bytes], used: int) -> None:
    assert texts(data, 8) == (expected, used)


def test_what_has_no_end_is_a_part_when_the_output_has_one() -> None:
    assert texts(b"one\ntwo", ended=True) == ([b"F one", b"P two"], 7)
    assert texts(b"one\n", ended=True) == ([b"F one"], 4)
    assert texts(b"", ended=True) == ([], 0)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("data", [b"one\ntwo", b"123456789", b"x\n123456781234567812\r", b"a\r\nb\r"])
def test_the_same_piece_gives_the_same_text_again(data: bytes, ended: bool) -> None:
    for format in (Entries(8), Raw()):
        text, used = format.encode("stdout", data, NOW, ended=ended)
        assert format.encode("stdout", data[:used], NOW, ended=True) == (text, used)


def test_without_a_limit_lines_are_cut_where_memory_ends() -> None:
    assert texts(bytes(LONGEST_LINE), -1) == ([], 0)
    parts, used = texts(bytes(LONGEST_LINE + 5), -1)
    assert (len(parts), used) == (1, LONGEST_LINE)
    assert len(texts(b"x" * 100_000 + b"\n", -1)[0]) == 1


@pytest.mark.parametrize(
    ("uri", "format"),
    [
        ("", Raw()),
        ("file:///x", Raw()),
        ("cri-log:///x", Entries(16384)),
        ("cri-log:///x?max_line=-1", Entries(-1)),
        ("cri-log:///x?max_line=7", Entries(7)),
    ],
)
def test_formats_of_uris(uri: str, format: Format) -> None:
    found = entries.of(uris.parse(uri))
    assert found == format if isinstance(format, Entries) else isinstance(found, Raw)


@pytest.mark.parametrize("query", ["max_line=0", "max_line=-2", "max_line=x", "max_line=", "lines=1", "max_line=1&x=y"])
def test_queries_that_mean_nothing(query: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="max_line=NUMBER or nothing"):
        entries.of(uris.parse(f"cri-log:///x?{query}"))
