import os
import shutil
import stat
from pathlib import Path
from threading import Thread

import pytest

from moorage_mount_manager_lmdb import filesystems
from moorage_mount_manager_lmdb.filesystems import FileSystem
from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

PREFIX = "X-containerd.mkfs."
SBIN = "/usr/sbin:/sbin"
ext4 = pytest.mark.skipif(not shutil.which("mkfs.ext4", path=SBIN), reason="mkfs.ext4 is not installed")
UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("100MiB", 100 << 20),
        ("1GiB", 1 << 30),
        ("16m", 16 << 20),
        ("1.5k", 1536),
        ("2 GB", 2 << 30),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert filesystems.parse((f"{PREFIX}size={text}",)) == FileSystem(size)


def test_options() -> None:
    options = (f"{PREFIX}size=1M", f"{PREFIX}fs=xfs", f"{PREFIX}uuid={UUID}", "ro")
    assert filesystems.parse(options) == FileSystem(1 << 20, "xfs", UUID)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("size=0",),
        ("size=",),
        ("size",),
        ("size=-1",),
        ("size=many",),
        ("size=1XB",),
        ("size=999999999999PiB",),
        ("size=1M", "fs=btrfs"),
        ("size=1M", "fs=../ext4"),
        ("size=1M", "uuid=random"),
        ("size=1M", "uuid=-F"),
        ("size=1M", "label=x"),
    ],
)
def test_what_is_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid argument"):
        filesystems.parse(tuple(PREFIX + option for option in options))


def test_commands() -> None:
    assert FileSystem(1).command("/sbin/mkfs.ext4", "/f") == ["/sbin/mkfs.ext4", "-q", "/f"]
    assert FileSystem(1, uuid=UUID).command("p", "/f") == ["p", "-q", "-U", UUID, "/f"]
    assert FileSystem(1, "xfs", UUID).command("p", "/f") == ["p", "-q", "-m", f"uuid={UUID}", "/f"]


@ext4
def test_a_file_system_is_made_once(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    mount = Mount("loop", str(image), ("ro", f"{PREFIX}size=4MiB", f"{PREFIX}uuid={UUID}"))
    assert filesystems.transform(mount, Roots([tmp_path])) == Mount("loop", str(image), ("ro",))
    made = image.stat()
    assert (made.st_size, stat.S_IMODE(made.st_mode)) == (4 << 20, 0o640 & ~umask())
    with open(image, "rb") as file:
        file.seek(1024 + 0x38)  # s_magic of the super block
        assert file.read(2) == b"\x53\xef"
        file.seek(1024 + 0x68)  # s_uuid
        assert file.read(16).hex() == UUID.replace("-", "")
    filesystems.transform(mount, Roots([tmp_path]))
    assert image.stat().st_ino == made.st_ino
    assert image.stat().st_mtime_ns == made.st_mtime_ns
    assert [entry.name for entry in tmp_path.iterdir()] == ["disk"]


@ext4
@pytest.mark.parametrize("kind", ["ext2", "ext3"])
def test_other_kinds(tmp_path: Path, kind: str) -> None:
    mount = Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=4MiB", f"{PREFIX}fs={kind}"))
    filesystems.transform(mount, Roots([tmp_path]))
    assert (tmp_path / "disk").stat().st_size == 4 << 20


@ext4
def test_a_half_made_file_of_a_dead_daemon_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / ".disk.mkfs").write_bytes(b"half")
    filesystems.transform(Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=4MiB",)), Roots([tmp_path]))
    assert [entry.name for entry in tmp_path.iterdir()] == ["disk"]


@ext4
def test_failure_leaves_no_file_and_says_what_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(errors.Internal, match=r"mkfs\.ext4.*exit status"):
        filesystems.transform(Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=1k",)), Roots([tmp_path]))
    assert not list(tmp_path.iterdir())


@ext4
def test_two_at_once_make_one(tmp_path: Path) -> None:
    mount = Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=4MiB",))
    failed: list[BaseException] = []

    def make() -> None:
        try:
            filesystems.transform(mount, Roots([tmp_path]))
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [entry.name for entry in tmp_path.iterdir()] == ["disk"]


def test_a_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystems, "_PATH", str(tmp_path))
    with pytest.raises(errors.FailedPrecondition, match="install xfsprogs"):
        filesystems.transform(
            Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=1M", f"{PREFIX}fs=xfs")), Roots([tmp_path])
        )


def test_a_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mkfs.ext4"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(filesystems, "_PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(filesystems, "PATIENCE", 0.1)
    with pytest.raises(errors.DeadlineExceeded, match=r"not done within 0\.1 s"):
        filesystems.transform(Mount("loop", f"{tmp_path}/disk", (f"{PREFIX}size=1M",)), Roots([tmp_path]))
    assert not (tmp_path / "disk").exists()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "folder").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(errors.FailedPrecondition, match="no regular file"):
            filesystems.transform(Mount("loop", f"{tmp_path}/{name}", (f"{PREFIX}size=1M",)), Roots([tmp_path]))


def test_beneath_no_root(tmp_path: Path) -> None:
    with pytest.raises(errors.Unimplemented, match="configured for mkfs"):
        filesystems.transform(Mount("loop", "/elsewhere/disk", (f"{PREFIX}size=1M",)), Roots([tmp_path]))


def umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
