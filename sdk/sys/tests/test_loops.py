import os
import shutil
import subprocess
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import loops, mounts

MKFS = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root"),
    pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="no loop devices here"),
]


def test_attach_and_detach(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    device, fd = loops.attach(image, autoclear=False)
    try:
        with open(device, "wb") as file:
            file.write(b"hello")
            file.flush()
            os.fsync(file.fileno())
        assert image.read_bytes()[:5] == b"hello"
    finally:
        os.close(fd)
        loops.detach(device)


def test_read_only_device_refuses_writes(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    device, fd = loops.attach(image, read_only=True)
    try:
        with pytest.raises(PermissionError), open(device, "wb", buffering=0) as file:
            file.write(b"hello")
    finally:
        os.close(fd)


@pytest.mark.skipif(MKFS is None, reason="mkfs.ext4 is not installed")
def test_loop_mount_frees_its_device_with_the_mount(tmp_path: Path) -> None:
    image, target = tmp_path / "image", tmp_path / "target"
    image.write_bytes(bytes(4 << 20))
    target.mkdir()
    subprocess.run([str(MKFS), "-q", str(image)], check=True)
    mounts.mount(Mount("ext4", str(image), ("loop",)), target)
    try:
        assert (target / "lost+found").is_dir()
    finally:
        mounts.unmount_all(target)
    files = list(Path("/sys/block").glob("loop*/loop/backing_file"))
    assert str(image) not in [file.read_text().strip() for file in files]


def test_a_device_has_a_name_and_goes_when_it_is_told_to(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    device, fd = loops.attach(image, name="mine")
    try:
        assert loops.name(fd) == "mine"
        loops.set_autoclear(fd, False)
    finally:
        os.close(fd)
    again = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert loops.name(again) == "mine", "it outlives its descriptor"
        loops.set_autoclear(again, True)
    finally:
        os.close(again)
    assert str(image) not in attached()


def test_what_has_no_name_says_so(tmp_path: Path) -> None:
    plain = os.open(tmp_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with pytest.raises(OSError):
            loops.name(plain)
    finally:
        os.close(plain)


def attached() -> list[str]:
    files = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            files.append(file.read_text().strip())
        except FileNotFoundError:
            continue
    return files
