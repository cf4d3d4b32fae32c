import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_differ_walking.cursors import Cursor
from moorage_differ_walking.entries import Archive, Entry
from moorage_differ_walking.limits import Limits
from moorage_sdk import errors
from moorage_testkit import archives
from moorage_testkit.archives import GNU, Tar, base256


def read(data: bytes, limits: Limits | None = None, chunk: int = 1000) -> list[tuple[Entry, bytes]]:
    chunks = (data[at : at + chunk] for at in range(0, len(data), chunk))
    archive = Archive(Cursor(chunks), limits or Limits())
    return [(entry, b"".join(archive.data(entry))) for entry in archive]


def only(data: bytes) -> Entry:
    ((entry, _),) = read(data)
    return entry


def test_long_names_of_every_kind() -> None:
    name, target = "n" * 300, "t" * 300
    for tar in (
        Tar().pax({"path": name, "linkpath": target}).symlink("x", "y"),
        Tar().gnu_long(name).gnu_long(target, b"K").symlink("x", "y", magic=GNU),
        Tar().gnu_long("other").gnu_long(name).gnu_long(target, b"K").symlink("x", "y", magic=GNU),
    ):
        entry = only(tar.end())
        assert (entry.name, entry.link) == (name.encode(), target.encode())


def test_a_long_name_of_gnu_lies_over_a_record_as_in_go() -> None:
    """Who scans an image and who unpacks it must not see two names."""
    tar = Tar().pax({"path": "p", "linkpath": "q"}).gnu_long("g").gnu_long("h", b"K").symlink("x", "y", magic=GNU)
    entry = only(tar.end())
    assert (entry.name, entry.link) == (b"g", b"h")


def test_records_lie_over_the_header_and_empty_ones_do_not() -> None:
    records = {"uid": "3000000", "gid": "", "mtime": "5.5", "atime": "7", "size": "3", "path": ""}
    entry, data = read(Tar().pax(records).header("f", size=99, gid=4).body(b"abc").end())[0]
    assert (entry.name, entry.uid, entry.gid, entry.size, data) == (b"f", 3_000_000, 4, 3, b"abc")
    assert (entry.mtime, entry.atime) == (5_500_000_000, 7_000_000_000)


def test_records_are_of_one_entry() -> None:
    (first, _), (second, _) = read(Tar().pax({"uid": "7"}).file("a").file("b").end())
    assert (first.uid, second.uid) == (7, 0)


def test_global_records_change_nothing() -> None:
    assert only(Tar().pax({"uid": "7", "path": "x"}, b"g").file("f").end()).uid == 0


def test_large_and_negative_numbers() -> None:
    entry = only(Tar().header("f", uid=base256(2**31, 8), mtime=base256(-1, 12), magic=GNU).end())
    assert (entry.uid, entry.mtime) == (2**31, -(10**9))
    with pytest.raises(errors.InvalidArgument, match="negative size"):
        read(Tar().header("f", size=base256(-512, 12), magic=GNU).end())
    with pytest.raises(errors.InvalidArgument, match="negative size"):
        read(Tar().pax({"size": "-512"}).header("f").end())


def test_size_of_what_has_no_data_says_nothing() -> None:
    entries = read(Tar().header("d", b"5", size=99).header("l", b"1", size=99, link="x").file("f", b"x").end())
    assert [(entry.name, data) for entry, data in entries] == [(b"d", b""), (b"l", b""), (b"f", b"x")]


def test_old_archives_mark_directories_by_a_slash() -> None:
    entries = read(Tar().header("d/", b"\0", magic=archives.V7).header("f", b"\0", magic=archives.V7).end())
    assert [entry.type for entry, _ in entries] == [b"5", b"0"]


@pytest.mark.parametrize("missing", [512, 1024])
def test_missing_end_is_forgiven(missing: int) -> None:
    assert [entry.name for entry, _ in read(Tar().file("f", b"x").end()[:-missing])] == [b"f"]


@pytest.mark.parametrize("left", [100, 511, 700, 1023, 1100])
def test_truncated_archives_are_data_loss(left: int) -> None:
    with pytest.raises(errors.DataLoss, match="unexpected EOF"):
        read(Tar().file("f", bytes(600)).file("g").end()[:left])


def test_second_archive_behind_the_end_is_not_read() -> None:
    assert [entry.name for entry, _ in read(Tar().file("a").end() + Tar().file("b").end())] == [b"a"]


def test_single_block_of_zeros_in_between_is_malformed() -> None:
    with pytest.raises(errors.InvalidArgument, match="single block of zeros"):
        read(Tar().file("a").raw(bytes(512)).file("b").end())


def test_unread_data_is_skipped() -> None:
    data = Tar().file("a", bytes(1500)).file("b", b"x").end()
    archive = Archive(Cursor(iter([data])), Limits())
    assert [entry.name for entry in archive] == [b"a", b"b"]


def test_headers_of_one_entry_are_limited_together() -> None:
    limits = Limits(header=10_000)
    many = Tar()
    for _ in range(30):
        many.gnu_long("x")
    with pytest.raises(errors.ResourceExhausted, match="headers of"):
        read(many.file("f").end(), limits)
    with pytest.raises(errors.ResourceExhausted, match="headers of"):
        read(Tar().header("x", b"x", size=8 * 2**30 - 1).end(), limits)
    keys = {f"key{number}": "v" for number in range(1000)}
    with pytest.raises(errors.ResourceExhausted):
        read(Tar().pax(keys).file("f").end(), limits)


SPARSE = b"abc".ljust(512, b"\0") + b"end"
EXTENTS = [(0, 512), (4096, 3)]


def sparse_old(extended: bool) -> bytes:
    area = archives.octal(0, 12) + archives.octal(512, 12) + archives.octal(4096, 12) + archives.octal(3, 12)
    prefix_area = bytes(41)
    head = Tar().header("s", b"S", size=len(SPARSE), magic=GNU).data
    block = bytearray(head)
    first = area if not extended else area[:24]
    block[345:386] = prefix_area
    block[386 : 386 + len(first)] = first
    block[482] = extended
    block[483:495] = archives.octal(5000, 12)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    more = area[24:].ljust(512, b"\0") if extended else b""
    return bytes(block) + more


SPARSE_FILES = {
    "old": Tar().raw(sparse_old(False)),
    "old, with more blocks": Tar().raw(sparse_old(True)),
    "0.0": Tar().pax(
        b"".join(
            archives.pax_record(f"GNU.sparse.{key}", value)
            for key, value in [("size", "5000"), ("numblocks", "2"), ("offset", "0"), ("numbytes", "512"),
                               ("offset", "4096"), ("numbytes", "3")]
        )
    ).header("s", size=len(SPARSE)),
    "0.1": Tar().pax(
        {"GNU.sparse.size": "5000", "GNU.sparse.numblocks": "2", "GNU.sparse.map": "0,512,4096,3",
         "GNU.sparse.name": "s"}
    ).header("GNUSparseFile/s", size=len(SPARSE)),
    "1.0": Tar().pax(
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "5000"}
    ).header("GNUSparseFile/s", size=512 + len(SPARSE)).body(b"2\n0\n512\n4096\n3\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPARSE_FILES)
def test_sparse_files(name: str) -> None:
    tar = Tar().raw(bytes(SPARSE_FILES[name].data)).body(SPARSE).file("next")
    (entry, data), (after, _) = read(tar.end())
    assert (entry.name, entry.type, entry.length, entry.extents) == (b"s", b"0", 5000, EXTENTS)
    assert data == SPARSE
    assert after.name == b"next"


@pytest.mark.parametrize("map", ["0,512,100,3", "4096,512,0,3", "0,512,4096,4", "0,512,5000,3", "-1,512,4096,3", "x"])
def test_sparse_maps_that_lie(map: str) -> None:
    records = {"GNU.sparse.size": "5000", "GNU.sparse.map": map}
    with pytest.raises(errors.InvalidArgument):
        read(Tar().pax(records).header("s", size=len(SPARSE)).body(SPARSE).end())


def test_huge_sparse_map_is_limited() -> None:
    records = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "5"}
    body = b"100000000\n" + b"0\n0\n" * 600_000
    with pytest.raises(errors.ResourceExhausted):
        read(Tar().pax(records).header("s", size=len(body)).body(body).end())


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_the_standard_library_writes(format: int) -> None:
    buffer = io.BytesIO()
    names = ["a", "d/" * 30 + "f", "ü" if format != tarfile.USTAR_FORMAT else "u", "x" * 90 + "/" + "y" * 90]
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = number * 700, 1000 + number, number
            tar.addfile(info, io.BytesIO(bytes([number]) * info.size))
    found = read(buffer.getvalue())
    assert [entry.name.decode() for entry, _ in found] == names
    assert [(entry.size, entry.mtime // 10**9, entry.uid) for entry, _ in found] == [
        (number * 700, 1000 + number, number) for number in range(len(names))
    ]
    assert [data for _, data in found] == [bytes([number]) * (number * 700) for number in range(len(names))]


@given(st.binary(max_size=600), st.integers(0, 4000))
def test_damage_is_refused_or_read_and_never_hangs(noise: bytes, at: int) -> None:
    data = bytearray(
        Tar().pax({"path": "p", "SCHILY.xattr.user.a": "b"}).file("x", b"y" * 700).gnu_long("n" * 120).file("z").end()
    )
    data[at : at + len(noise)] = noise
    try:
        read(bytes(data))
    except (errors.InvalidArgument, errors.DataLoss, errors.ResourceExhausted):
        return


@pytest.mark.parametrize("chunk", [100, 512, 1_000_000])
def test_plain_entries_can_be_taken_before_they_are_parsed(chunk: int) -> None:
    """Only at the beginning of an entry: never between a header that describes the next one and that one."""
    tar = Tar().file("a", b"1").pax({"path": "long"}).file("x", b"2").file("b", b"3").end()
    seen = []

    def take(data: bytes, at: int) -> int:
        block = data[at : at + 1024]
        seen.append(block[:1])
        return 1024 if len(block) == 1024 and block[156:157] == b"0" and b"3" in block[512:513] else 0

    chunks = (tar[at : at + chunk] for at in range(0, len(tar), chunk))
    cursor = Cursor(chunks)
    archive = Archive(cursor, Limits(), take)
    found = [(entry.name, b"".join(archive.data(entry))) for entry in archive]
    left = [(b"a", b"1"), (b"long", b"2")]
    assert found == (left if chunk == 1_000_000 else [*left, (b"b", b"3")])
    assert b"x" not in seen
