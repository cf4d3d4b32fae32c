import os
from pathlib import Path

import pytest

from moorage_differ_walking import attributes
from moorage_differ_walking.entries import Entry
from moorage_sdk import errors


def entry(**fields: object) -> Entry:
    return Entry(**{"name": b"f", "type": b"0", "mode": 0o644, "uid": os.geteuid(), "gid": os.getegid(), "size": 0,
                    "mtime": 0, "atime": 0, **fields})  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), [(5, 5), (-1, 0), (2**63 - 1, 2**63 - 1), (2**63, 0), (-(2**70), 0)])
def test_times_that_do_not_fit_are_the_epoch(value: int, wanted: int) -> None:
    assert attributes.times(entry(mtime=value, atime=value)) == (wanted, wanted)


@pytest.mark.parametrize("uid", [-1, 2**32 - 1, 2**32, 2**40])
def test_ids_out_of_range(uid: int) -> None:
    for fields in ({"uid": uid}, {"gid": uid}):
        with pytest.raises(errors.InvalidArgument, match="out of range"):
            attributes.owner(entry(**fields))


def test_denied_attributes_are_left_out(tmp_path: Path) -> None:
    wanted = {b"user.a": b"1", b"user.overlay.opaque": b"y", b"trusted.overlay.opaque": b"y", b"trusted.x": b"1"}
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        attributes.set_open(fd, entry(mode=0o755, xattrs=wanted))
        assert os.listxattr(fd) == ["user.a"]
    finally:
        os.close(fd)


def test_attributes_that_the_file_system_lacks_are_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "setxattr", lacking)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        attributes.set_open(fd, entry(mode=0o755, xattrs={b"user.a": b"1"}))
    finally:
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_named_attributes_do_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "target").touch(0o600)
    (tmp_path / "link").symlink_to("target")
    fd = os.open(tmp_path, os.O_RDONLY)
    here = Path.cwd()
    try:
        attributes.set_named(fd, b"link", entry(uid=5, gid=6, mode=0o777, mtime=7 * 10**9, xattrs={b"trusted.a": b"1"}))
    finally:
        os.close(fd)
        os.chdir(here)
    link, target = (tmp_path / "link").lstat(), (tmp_path / "target").stat()
    assert (link.st_uid, link.st_gid, link.st_mtime) == (5, 6, 7)
    assert (target.st_uid, target.st_mode & 0o777) == (os.geteuid(), 0o600)
    assert os.listxattr(tmp_path / "link", follow_symlinks=False) == []
