import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_differ_walking import headers
from moorage_sdk import errors
from moorage_testkit import archives
from moorage_testkit.archives import Tar


def parse(tar: Tar) -> headers.Header:
    return headers.parse(bytes(tar.data[:512]))


def test_fields() -> None:
    tar = Tar().header("n", b"3", mode=0o4755, uid=1, gid=2, size=3, mtime=4, link="l", device=(5, 6))
    header = parse(tar)
    assert (header.name, header.type, header.mode, header.uid, header.gid) == (b"n", b"3", 0o4755, 1, 2)
    assert (header.size, header.mtime, header.link, header.gnu) == (3, 4, b"l", False)
    assert [headers.number(field) for field in header.devices] == [5, 6]


def test_prefix_is_ustars_only() -> None:
    assert parse(Tar().header("n", prefix="p")).name == b"p/n"
    assert parse(Tar().header("n", prefix="p", magic=archives.GNU)).name == b"n"
    assert parse(Tar().header("n", prefix="p", magic=archives.V7)).name == b"n"
    star = "p" * 131 + "00000000000 00000000000 "
    assert parse(Tar().header("n", prefix=star, tail=b"\0" * 8 + b"tar\0")).name == b"p" * 131 + b"/n"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644), (b"   644 \0", 0o644), (b"\0" * 8, 0), (b"        ", 0), (b"644\0junk", 0o644),
        (archives.base256(2**40, 8), 2**40), (archives.base256(-1, 8), -1), (archives.base256(-(2**40), 12), -(2**40)),
    ],
)  # fmt: skip
def test_numbers(field: bytes, value: int) -> None:
    assert headers.number(field) == value


@pytest.mark.parametrize(
    "field",
    [b"9\0\0\0\0\0\0\0", b"-1\0\0\0\0\0\0", b"1_0\0\0\0\0\0", b"+1\0\0\0\0\0\0", b"0x1\0\0\0\0\0",
     b"1 1\0\0\0\0\0", b"\x80" + b"\xff" * 11, b"\xff\x00" + b"\x00" * 10]
)  # fmt: skip
def test_what_is_no_number(field: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="number"):
        headers.number(field)


def test_checksums() -> None:
    with pytest.raises(errors.InvalidArgument, match="checksum"):
        parse(Tar().header("n", checksum=1))
    assert parse(Tar().header(b"\xff" * 50, signed=True)).name == b"\xff" * 50


@given(st.binary(min_size=512, max_size=512))
def test_any_block_is_read_or_refused(block: bytes) -> None:
    try:
        headers.parse(block)
    except errors.InvalidArgument:
        return
