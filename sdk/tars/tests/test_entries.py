import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_sdk import errors
from moorage_tars import entries


def pack(format: int, members: dict[str, bytes], links: dict[str, str] | None = None) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    buffer.seek(0)
    return buffer


FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("format", FORMATS)
def test_every_format(format: int) -> None:
    long = "d" * 90 + "/" + "n" * 90
    members = {"small": b"1", long: b"2" * 1000, "empty": b""}
    read = {entry.name: b"".join(entry.pieces()) for entry in entries.entries(pack(format, members))}
    assert read == members


@pytest.mark.parametrize("format", FORMATS[1:])
def test_long_names_and_links_of_any_alphabet(format: int) -> None:
    name, target = "ä" * 120, "t" * 150
    found = list(entries.entries(pack(format, {name: b"x"}, {"link": target})))
    assert [(entry.name, entry.kind, entry.target) for entry in found] == [
        (name, entries.REGULAR, ""),
        ("link", entries.SYMLINK, target),
    ]


def test_what_is_not_read_is_skipped() -> None:
    stream = pack(tarfile.PAX_FORMAT, {"a": b"x" * 5000, "b": b"y" * 700})
    sizes = []
    for entry in entries.entries(stream):
        next(entry.pieces())
        sizes.append(entry.size)
    assert sizes == [5000, 700]


def test_the_end_mark_may_be_missing() -> None:
    data = pack(tarfile.PAX_FORMAT, {"a": b"x" * 512}).getvalue()[:1024]
    assert [entry.name for entry in entries.entries(io.BytesIO(data))] == ["a"]


@pytest.mark.parametrize("size", [100, 511, 513, 1000])
def test_a_cut_archive(size: int) -> None:
    data = pack(tarfile.PAX_FORMAT, {"a": b"x" * 600}).getvalue()[:size]
    with pytest.raises(errors.DataLoss):
        list(entries.entries(io.BytesIO(data)))


def test_no_tar() -> None:
    with pytest.raises(errors.InvalidArgument):
        list(entries.entries(io.BytesIO(b"PK\3\4" + b"z" * 2000)))


def header(kind: bytes, size: bytes) -> bytes:
    block = bytearray(512)
    block[0:1], block[124:136], block[156:157] = b"h", size.rjust(12, b"0"), kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_sec_67_a_huge_extended_header_is_refused_unread() -> None:
    stream = io.BytesIO(header(b"x", b"77777777777") + b"\0" * 1024)
    with pytest.raises(errors.InvalidArgument, match="extended header"):
        list(entries.entries(stream))
    assert stream.tell() == 512


@pytest.mark.parametrize("body", [b"no digits path=x\n", b"99999 path=x\n", b"0 path=x\n", b"9" * 500 + b" x"])
def test_malformed_extended_headers(body: bytes) -> None:
    data = header(b"x", b"%o" % len(body)) + body.ljust(512, b"\0") + header(b"0", b"0") + b"\0" * 1024
    with pytest.raises(errors.InvalidArgument):
        list(entries.entries(io.BytesIO(data)))


def test_sizes_beyond_eight_gigabytes_are_base_256() -> None:
    block = bytearray(header(b"0", b"0"))
    block[124:136] = b"\x80" + (9 << 30).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    entry = next(entries.entries(io.BytesIO(bytes(block) + b"x" * 512)))
    assert entry.size == 9 << 30


def test_a_sparse_file_of_either_format_is_refused() -> None:
    body = b"31 GNU.sparse.realsize=1099511\n"
    pax = header(b"x", b"%o" % len(body)) + body.ljust(512, b"\0") + header(b"0", b"0")
    for data in (header(b"S", b"1"), pax):
        with pytest.raises(errors.InvalidArgument, match="sparse"):
            list(entries.entries(io.BytesIO(data + b"\0" * 1024)))


def test_what_follows_an_entry_of_an_unknown_kind_is_found() -> None:
    data = header(b"V", b"5") + b"label".ljust(512, b"\0") + header(b"0", b"0") + b"\0" * 1024
    assert [(entry.kind, entry.size) for entry in entries.entries(io.BytesIO(data))] == [("V", 5), ("0", 0)]


@pytest.mark.parametrize("kind", [b"0", b"x", b"L"])
@pytest.mark.parametrize("size", [b"-00000000005", b"+00000000005", b"0_0000000005", b"0o0000000005"])
def test_a_size_that_is_not_octal_digits_is_refused(kind: bytes, size: bytes) -> None:
    """Python's int takes a sign; a negative size was read for ever."""
    data = header(kind, size) + b"x" * 512 + b"\0" * 1024
    with pytest.raises(errors.InvalidArgument, match="damaged"):
        list(entries.entries(io.BytesIO(data)))


@pytest.mark.parametrize("size", ["٣", "-1", "9" * 5000])
def test_a_size_in_an_extended_header_is_digits(size: str) -> None:
    record = f"size={size}\n".encode()
    length = len(record) + 1
    while len(str(length)) + 1 + len(record) != length:
        length += 1
    body = b"%d %s" % (length, record)
    blocks = body.ljust(-(-len(body) // 512) * 512, b"\0")
    data = header(b"x", b"%o" % len(body)) + blocks + header(b"0", b"0") + b"\0" * 1024
    with pytest.raises(errors.InvalidArgument, match="malformed size"):
        list(entries.entries(io.BytesIO(data)))


@settings(derandomize=True, max_examples=400, deadline=None)
@given(
    format=st.sampled_from(FORMATS[1:]),
    name=st.sampled_from(["short", "n" * 150, "ä" * 60]),
    damage=st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=6),
    length=st.integers(0, 4096),
    mended=st.booleans(),
)
def test_damage_is_an_error_of_ours_and_ends(
    format: int, name: str, damage: list[tuple[int, int]], length: int, mended: bool
) -> None:
    data = bytearray(pack(format, {name: b"x" * 700, "b": b"y"}).getvalue()[:4096])
    for place, value in damage:
        if place < len(data):
            data[place] = value
    if mended:  # or the checksum would catch it all
        for start in range(0, len(data), 512):
            block = data[start : start + 512]
            if len(block) == 512 and any(block):
                data[start + 148 : start + 156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    try:
        found = [(entry.name, sum(map(len, entry.pieces()))) for entry in entries.entries(io.BytesIO(data[:length]))]
    except errors.Error:
        return
    assert sum(size for _, size in found) <= length
