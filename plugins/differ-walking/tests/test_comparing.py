"""The layer made of two directories turns the one into the other."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from moorage_differ_walking import comparing, unpacking
from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.limits import Limits
from moorage_sdk import digests
from moorage_testkit import trees

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and devices need root")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    (lower / "etc/old").mkdir(parents=True)
    (lower / "etc/passwd").write_text("root")
    (lower / "etc/old/file").write_text("x")
    (lower / "keep").write_text("same")
    (lower / "linked").write_text("content")
    (lower / "linked-too").hardlink_to(lower / "linked")
    subprocess.run(["/bin/cp", "-a", str(lower), str(upper)], check=True)
    return lower, upper


def difference(lower: Path, upper: Path, epoch: int | None = None, compression: str = "") -> bytes:
    opened = [os.open(path, os.O_RDONLY) for path in (lower, upper)]
    try:
        with tempfile.TemporaryFile() as out:
            outcome = comparing.write_difference(*opened, compression, epoch, out.fileno())
            out.seek(0)
            data = out.read()
    finally:
        for fd in opened:
            os.close(fd)
    if not compression:
        assert (outcome.digest, outcome.size) == (digests.of(data), len(data))
    return data


def members(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getmembers()


def names(data: bytes) -> list[str]:
    return [member.name for member in members(data)]


def apply(folder: Path, data: bytes) -> None:
    root = os.open(folder, os.O_RDONLY)
    try:
        unpacking.unpack(io.BytesIO(data), "sniff", Extraction(root, Limits()), Limits())
    finally:
        os.close(root)


def test_no_change_is_an_empty_layer(pair: tuple[Path, Path]) -> None:
    assert difference(*pair) == bytes(1024)


def test_everything_comes_back(pair: tuple[Path, Path]) -> None:
    lower, upper = pair
    shutil.rmtree(upper / "etc/old")
    (upper / "etc/passwd").write_text("changed")
    (upper / "new/deep").mkdir(parents=True)
    (upper / "new/deep/tool").write_bytes(os.urandom(2_000_000))
    os.chown(upper / "new/deep/tool", 5, 6)
    (upper / "new/deep/tool").chmod(0o6755)
    os.setxattr(upper / "new", "user.a", b"1")
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(upper / "new/deep/tool", "security.capability", capability)
    (upper / "new/link").symlink_to("/etc/passwd")
    os.mkfifo(upper / "new/fifo")
    os.mknod(upper / "new/null", 0o20666, os.makedev(1, 3))
    (upper / "keep").unlink()
    (upper / "keep").mkdir()
    (upper / "linked").write_text("other content")
    (upper / ("long" * 60)).write_text("long")
    for compression in ("", "gzip", "zstd"):
        target = lower.with_name(f"target-{compression}")
        subprocess.run(["/bin/cp", "-a", str(lower), str(target)], check=True)
        apply(target, difference(lower, upper, compression=compression))
        assert trees.read(target) == trees.read(upper)


def test_whiteouts_come_with_their_parents_and_without_time(pair: tuple[Path, Path]) -> None:
    shutil.rmtree(pair[1] / "etc/old")
    found = members(difference(*pair))
    assert [member.name for member in found] == ["etc", "etc/.wh.old"]
    assert (found[1].mtime, found[1].size, found[1].mode) == (0, 0, 0)


def test_parents_come_once(pair: tuple[Path, Path]) -> None:
    (pair[1] / "etc/a").touch()
    (pair[1] / "etc/b").touch()
    assert names(difference(*pair)) == ["etc", "etc/a", "etc/b"]


def test_all_names_of_a_changed_file_are_linked(pair: tuple[Path, Path]) -> None:
    (pair[1] / "a-new-name").hardlink_to(pair[1] / "linked")
    found = members(difference(*pair))
    assert [(member.name, member.linkname) for member in found] == [
        ("a-new-name", ""), ("linked", "a-new-name"), ("linked-too", "a-new-name"),
    ]  # fmt: skip


def test_sockets_are_left_out(pair: tuple[Path, Path]) -> None:
    os.mknod(pair[1] / "socket", 0o140600)
    assert names(difference(*pair)) == []


def test_epoch_bounds_times_and_makes_layers_equal(pair: tuple[Path, Path]) -> None:
    results = []
    for time in (2_000_000_000, 2_100_000_000):
        (pair[1] / "new").write_text("x")
        os.utime(pair[1] / "new", (time, time))
        (pair[1] / "old").write_text("x")
        os.utime(pair[1] / "old", (5, 5))
        results.append(difference(*pair, epoch=1_900_000_000, compression="gzip"))
    assert results[0] == results[1]
    assert {member.name: member.mtime for member in members(results[0])} == {"new": 1_900_000_000, "old": 5}


def test_overlays_own_attributes_stay_behind(pair: tuple[Path, Path]) -> None:
    (pair[1] / "d").mkdir()
    os.setxattr(pair[1] / "d", "user.overlay.opaque", b"y")
    os.setxattr(pair[1] / "d", "trusted.overlay.opaque", b"y")
    (member,) = members(difference(*pair))
    assert not any(key.startswith("SCHILY") for key in member.pax_headers)
