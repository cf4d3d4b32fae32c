import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_mount_handler_loop.handlers import LoopHandler, label
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import loops, mounts

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root"),
    pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="no loop devices here"),
]
MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    made = tmp_path / "disk"
    made.write_bytes(bytes(4 << 20))
    return made


def attached(image: Path) -> list[str]:
    """Devices that the file is attached to."""
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if file.read_text().strip() == str(image):
                found.append(f"/dev/{file.parts[3]}")
        except FileNotFoundError:
            continue
    return found


def test_a_file_is_a_device_until_it_is_unmounted(image: Path, tmp_path: Path) -> None:
    handler, target = LoopHandler(), str(tmp_path / "0")
    mount = Mount("loop", str(image))
    done = handler.mount(mount, target, ())
    assert (done.mount, done.mount_point) == (mount, target)
    assert done.mounted_at > 0
    assert [os.path.realpath(target)] == attached(image)
    with open(target, "wb") as device:
        device.write(b"hello")
    assert image.read_bytes()[:5] == b"hello"
    handler.unmount(target)
    assert not os.path.lexists(target)
    assert attached(image) == []
    handler.unmount(target)


def test_a_device_in_use_goes_with_its_last_user(image: Path, tmp_path: Path) -> None:
    handler, target = LoopHandler(), str(tmp_path / "0")
    handler.mount(Mount("loop", str(image)), target, ())
    with open(target, "rb"):
        handler.unmount(target)
        assert len(attached(image)) == 1
    assert attached(image) == []


@pytest.mark.skipif(MKFS is None, reason="mkfs.ext4 is not installed")
def test_a_file_system_on_it(image: Path, tmp_path: Path) -> None:
    subprocess.run([str(MKFS), "-q", str(image)], check=True)
    handler, target, folder = LoopHandler(), str(tmp_path / "0"), tmp_path / "folder"
    handler.mount(Mount("loop", str(image)), target, ())
    folder.mkdir()
    mounts.mount(Mount("ext4", target), folder)
    try:
        assert (folder / "lost+found").is_dir()
    finally:
        mounts.unmount(folder)
        handler.unmount(target)
    assert attached(image) == []


def test_read_only(image: Path, tmp_path: Path) -> None:
    handler, target = LoopHandler(), str(tmp_path / "0")
    handler.mount(Mount("loop", str(image), ("ro",)), target, ())
    try:
        with pytest.raises(PermissionError), open(target, "wb", buffering=0) as device:
            device.write(b"x")
    finally:
        handler.unmount(target)


@pytest.mark.parametrize("options", [("offset=4096",), ("ro", "sync")])
def test_other_options_are_refused(image: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(errors.InvalidArgument, match=options[-1]):
        LoopHandler().mount(Mount("loop", str(image), options), str(tmp_path / "0"), ())
    assert attached(image) == []


def fail(*_: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_failure_leaves_no_device(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handler, target = LoopHandler(), tmp_path / "0"
    target.touch()
    with pytest.raises(FileExistsError):
        handler.mount(Mount("loop", str(image)), str(target), ())
    assert attached(image) == []
    target.unlink()
    monkeypatch.setattr(loops, "set_autoclear", fail)
    with pytest.raises(OSError, match="Input/output"):
        handler.mount(Mount("loop", str(image)), str(target), ())
    assert attached(image) == [], "as if it were killed before the device was made to stay"
    monkeypatch.undo()
    handler.unmount(str(target))
    assert not os.path.lexists(target)


@pytest.mark.parametrize("absent", ["file", "target"])
def test_what_is_not_there(image: Path, tmp_path: Path, absent: str) -> None:
    source = tmp_path / "absent" if absent == "file" else image
    target = tmp_path / "absent/0" if absent == "target" else tmp_path / "0"
    with pytest.raises(FileNotFoundError):
        LoopHandler().mount(Mount("loop", str(source)), str(target), ())
    assert attached(image) == []


def _plain(target: Path, tmp_path: Path) -> None:
    target.symlink_to(tmp_path)


def _gone(target: Path, tmp_path: Path) -> None:
    target.symlink_to("/dev/loop1048575")


def _free(target: Path, tmp_path: Path) -> None:
    image = tmp_path / "other"
    image.write_bytes(bytes(1 << 20))
    device, fd = loops.attach(image)
    os.close(fd)
    target.symlink_to(device)


@pytest.mark.parametrize("lead", [_plain, _gone, _free])
def test_a_link_of_a_dead_daemon_that_leads_nowhere(tmp_path: Path, lead: Callable[[Path, Path], None]) -> None:
    target = tmp_path / "0"
    lead(target, tmp_path)
    LoopHandler().unmount(str(target))
    assert not os.path.lexists(target)


def test_a_device_that_somebody_else_has_got_meanwhile_is_left_alone(image: Path, tmp_path: Path) -> None:
    device, fd = loops.attach(image, autoclear=False)
    os.close(fd)
    target = tmp_path / "0"
    target.symlink_to(device)
    try:
        LoopHandler().unmount(str(target))
        assert not os.path.lexists(target)
        assert attached(image) == [device]
    finally:
        loops.detach(device)


def test_what_is_no_link_was_never_made(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    LoopHandler().unmount(str(tmp_path / "0"))


def test_labels_fit_and_differ() -> None:
    long = "/run/" + "x" * 4000
    assert len(label(long)) <= 63
    assert label(long) != label(long + "y")
