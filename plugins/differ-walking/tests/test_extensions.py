import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_differ_walking import extensions
from moorage_sdk import errors
from moorage_testkit import archives


def test_records() -> None:
    data = (
        archives.pax_record("path", "a=b\nc") + archives.pax_record("ü", b"\xff\0") + archives.pax_record("path", "d")
    )
    assert extensions.records(data) == {b"path": b"d", "ü".encode(): b"\xff\0"}


@pytest.mark.parametrize(
    "data",
    [
        b"x", b"5 a=b\n", b"7 a=b\n", b"6 a=bb", b"6 ab \n", b"0 a=b\n", b"-6 a=b\n", b"99999999999 a=b\n", b" 6 a=b\n",
        b"6 =bb\n", b"10 a\0=bbb\n", archives.pax_record("path", b"a\0b"), archives.pax_record("linkpath", b"\0"),
        archives.pax_record("GNU.sparse.numbytes", "1"), b"6 a=b\n\0\0\0",
    ],
)  # fmt: skip
def test_malformed_records(data: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="malformed"):
        extensions.records(data)


@given(st.dictionaries(st.text("abcü", min_size=1, max_size=9), st.text("xyz=\n", min_size=1), max_size=5))
def test_records_come_back(wanted: dict[str, str]) -> None:
    data = b"".join(archives.pax_record(key, value) for key, value in wanted.items())
    assert extensions.records(data) == {key.encode(): value.encode() for key, value in wanted.items()}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        extensions.records(data)
    except errors.InvalidArgument:
        return


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"0", 0), (b"1.5", 1_500_000_000), (b"-1.5", -1_500_000_000), (b"1.", 10**9), (b"1.1234567891", 1_123_456_789)],
)
def test_times(text: bytes, value: int) -> None:
    assert extensions.time(text) == value


@pytest.mark.parametrize("text", [b"", b"nan", b"inf", b"1e5", b".5", b"1.-5", b"+1", b"1 ", b"9" * 30, b"0x1"])
def test_what_is_no_time(text: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        extensions.time(text)


@pytest.mark.parametrize("text", [b"", b"1_0", b"+1", b" 1", "٣".encode(), b"9" * 20])
def test_what_is_no_integer(text: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        extensions.integer(text)


@pytest.mark.parametrize(
    ("extents", "size", "stored", "right"),
    [
        ([], 10, 0, True), ([(0, 5), (5, 5)], 10, 10, True), ([(3, 0)], 3, 0, True), ([(0, 5), (4, 5)], 10, 10, False),
        ([(5, 5), (0, 5)], 10, 10, False), ([(0, 11)], 10, 11, False), ([(-1, 5)], 10, 5, False),
        ([(0, -5)], 10, -5, False), ([(0, 5)], 10, 6, False), ([(0, 2**63)], 2**63, 5, False),
    ],
)  # fmt: skip
def test_sparse_maps_must_make_sense(extents: list[tuple[int, int]], size: int, stored: int, right: bool) -> None:
    if right:
        extensions.check_sparse(extents, size, stored)
    else:
        with pytest.raises(errors.InvalidArgument, match="sparse map"):
            extensions.check_sparse(extents, size, stored)


def test_sparse_list() -> None:
    assert extensions.sparse_list(b"0,5,10,5") == [(0, 5), (10, 5)]
    for text in (b"0", b"0,5,", b"a,b"):
        with pytest.raises(errors.InvalidArgument):
            extensions.sparse_list(text)


def test_sparse_blocks_run_over_several() -> None:
    extents = [(number * 1000, 7) for number in range(200)]
    text = b"200\n" + b"".join(b"%d\n%d\n" % extent for extent in extents)
    blocks = iter([text[at : at + 512].ljust(512, b"\0") for at in range(0, len(text), 512)])
    assert extensions.sparse_blocks(lambda: next(blocks)) == extents


@pytest.mark.parametrize("text", [b"-1\n", b"x\n", b"1" * 512, b"1\n2\nx\n"])
def test_malformed_sparse_blocks(text: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        extensions.sparse_blocks(lambda: text.ljust(512, b"\0"))
