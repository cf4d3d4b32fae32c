"""Archives of strangers: what is in them goes into the store, and nothing in them goes anywhere else."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_sdk import digests, errors
from moorage_testkit.archives import Tar
from moorage_testkit.fakes.content import MemoryStore
from moorage_transfer_local import archives
from moorage_transfer_local.archives import JSON_LIMIT, MAX_MEMBERS, MAX_NAME, Archive
from moorage_transfer_local.stops import Stop

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def read(store: MemoryStore, data: bytes, *, compressed: bool = True) -> Archive:
    return archives.read(io.BytesIO(data), store, Stop(), compressed=compressed)


def blob(data: bytes) -> str:
    return f"blobs/sha256/{digests.split(digests.of(data))[1]}"


def test_files_are_blobs_and_two_are_read(store: MemoryStore) -> None:
    tar = Tar().folder("blobs").file("oci-layout", LAYOUT).file("./manifest.json", b"[]").file("index.json", b"{}")
    archive = read(store, tar.file(blob(b"x"), b"x").file("empty").end())
    assert archive.layout == {"imageLayoutVersion": "1.0.0"}
    assert archive.manifest == []
    assert {path: found.digest for path, found in archive.blobs.items()} == {
        "index.json": digests.of(b"{}"),
        blob(b"x"): digests.of(b"x"),
        "empty": digests.of(b""),
    }
    assert store.blobs == {digests.of(data): data for data in (b"{}", b"x", b"")}


def test_compression_is_taken_off_when_it_may_be_there(store: MemoryStore) -> None:
    packed = gzip.compress(Tar().file("oci-layout", LAYOUT).end())
    assert read(store, packed).layout
    with pytest.raises((errors.InvalidArgument, errors.DataLoss)):
        read(store, packed, compressed=False)


def test_links_are_followed_once_and_inside_the_archive_only(store: MemoryStore, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    tar = Tar().file("a/layer.tar", b"x").symlink("b/layer.tar", "../a/layer.tar").link("c/layer.tar", "a/layer.tar")
    tar.symlink("d", str(secret)).symlink("e", "b/layer.tar").symlink("f", "f")
    archive = read(store, tar.end())
    x = digests.of(b"x")
    found = {path: archive.find(path) for path in ("a/layer.tar", "b/layer.tar", "c/layer.tar", "./b/../b/layer.tar")}
    assert {path: blob.digest for path, blob in found.items() if blob} == dict.fromkeys(found, x)
    assert [archive.find(path) for path in ("d", str(secret), "e", "f", "none")] == [None] * 5


@pytest.mark.parametrize("name", ["/etc/moorage-never", "../../etc/moorage-never", "a/../../x", "..", "/", "."])
def test_names_are_names_and_nothing_else(store: MemoryStore, name: str) -> None:
    archive = read(store, Tar().file(name, b"x").end())
    assert [found.digest for found in archive.blobs.values()] == [digests.of(b"x")]
    assert not Path("/etc/moorage-never").exists()


def test_devices_and_pipes_are_left_out(store: MemoryStore) -> None:
    tar = Tar().header("null", b"3", device=(1, 3)).header("pipe", b"6").file("f", b"x")
    assert set(read(store, tar.end()).blobs) == {"f"}


def test_sec_30_a_file_that_is_not_what_its_name_says_is_data_loss(store: MemoryStore) -> None:
    with pytest.raises(errors.DataLoss, match="blobs/sha256"):
        read(store, Tar().file(blob(b"x"), b"y").end())
    assert (store.blobs, store.ingests) == ({}, {})


@pytest.mark.parametrize("digest", ["abc", "g" * 64, "A" * 64, "a" * 63])
def test_sec_30_bad_digests_in_names(store: MemoryStore, digest: str) -> None:
    try:
        archive = read(store, Tar().file(f"blobs/sha256/{digest}", b"x").end())
    except errors.InvalidArgument:
        assert store.blobs == {}
    else:
        assert archive.blobs[f"blobs/sha256/{digest}"].digest == digests.of(b"x")


@pytest.mark.parametrize("name", ["oci-layout", "manifest.json"])
def test_sec_33_documents_have_a_limit(store: MemoryStore, name: str) -> None:
    fits = b'{"a":"' + b"x" * (JSON_LIMIT - 8) + b'"}'
    if name == "oci-layout":
        assert read(store, Tar().file(name, fits).end()).layout
    with pytest.raises(errors.ResourceExhausted, match=f"limit of {JSON_LIMIT}"):
        read(store, Tar().header(name, size=JSON_LIMIT + 1).data)


@pytest.mark.parametrize("prefix", [b"\xff/../", b"\n/../", "ä/../".encode() * 50])
def test_messages_about_odd_names_can_be_sent(store: MemoryStore, prefix: bytes) -> None:
    with pytest.raises(errors.ResourceExhausted) as caught:
        read(store, Tar().pax({b"path": prefix + b"manifest.json"}).header("x", size=JSON_LIMIT + 1).data)
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 500
    with pytest.raises(errors.DataLoss) as lost:
        read(store, Tar().pax({b"path": prefix + blob(b"x").encode()}).file("x", b"y").end())
    str(lost.value).encode()


class Spaces:
    """A tar whose only file is 10 GB of spaces."""

    def __init__(self, name: str) -> None:
        self._head = bytes(Tar().header(name, size=10_000_000_000).data)
        self.sent = 0

    def read(self, size: int, /) -> bytes:
        data = self._head[:size] or b" " * size
        self._head = self._head[size:]
        self.sent += len(data)
        return data


def test_sec_33_ten_gigabytes_of_spaces_are_refused_before_they_are_read(store: MemoryStore) -> None:
    source = Spaces("manifest.json")
    tracemalloc.start()
    try:
        with pytest.raises(errors.ResourceExhausted):
            archives.read(source, store, Stop(), compressed=True)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert source.sent < 4 << 20


@pytest.mark.parametrize(
    "document",
    [
        b'{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"1.0.0"}',
        b"[" * 100_000,
        b"null",
        b"[]",
        b"{",
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":[' + b"1," * 300_000 + b"1]}",
    ],
)
def test_sec_32_a_layout_that_readers_could_read_differently(store: MemoryStore, document: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        read(store, Tar().file("oci-layout", document).end())


@pytest.mark.parametrize("name", ["oci-layout", "manifest.json", "index.json"])
def test_sec_31_a_document_that_is_there_twice(store: MemoryStore, name: str) -> None:
    content = {"oci-layout": LAYOUT, "manifest.json": b"[]", "index.json": b"{}"}[name]
    with pytest.raises(errors.InvalidArgument, match="more than one"):
        read(store, Tar().file(name, content).file(f"./{name}", content).end())


@pytest.mark.parametrize(
    "make",
    [
        lambda tar: tar.header("f", b"S", size=1),
        lambda tar: tar.pax({"GNU.sparse.realsize": "1000000000000"}).file("f", b"x"),
        lambda tar: tar.gnu_long("n" * (MAX_NAME + 1)).file("f"),
        lambda tar: tar.gnu_long("n" * (MAX_NAME + 1), b"K").symlink("f", "x"),
    ],
)
def test_sparse_files_and_endless_names_are_refused(store: MemoryStore, make: Callable[[Tar], Tar]) -> None:
    with pytest.raises(errors.InvalidArgument):
        read(store, make(Tar()).end())


def test_members_have_a_limit(store: MemoryStore) -> None:
    many = bytes(Tar().folder("f").data) * MAX_MEMBERS
    read(store, many + bytes(1024))
    with pytest.raises(errors.InvalidArgument, match=f"more than {MAX_MEMBERS}"):
        read(store, many + bytes(Tar().folder("f").data) + bytes(1024))


@pytest.mark.parametrize("cut", [100, 600, 1100])
def test_an_archive_that_ends_early_is_data_loss_and_leaves_no_ingest(store: MemoryStore, cut: int) -> None:
    data = Tar().file("a", b"x" * 5000).end()[:cut]
    with pytest.raises(errors.DataLoss):
        read(store, data)
    assert store.ingests == {}


def test_no_archive_at_all(store: MemoryStore) -> None:
    with pytest.raises(errors.InvalidArgument):
        read(store, b"PK" + json.dumps(["x" * 3000]).encode())
    assert read(store, b"") == Archive()


def test_who_stops_is_heard(store: MemoryStore) -> None:
    with pytest.raises(errors.Cancelled):
        archives.read(io.BytesIO(Tar().file("a", b"x").end()), store, Stop(lambda: True), compressed=True)
