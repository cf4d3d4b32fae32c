import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from moorage_mount_handler_erofs import handlers
from moorage_mount_handler_erofs.handlers import ErofsHandler
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
loop = pytest.mark.skipif(not Path("/dev/loop-control").exists(), reason="no loop devices here")
MKFS = shutil.which("mkfs.erofs", path="/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.fixture
def layer(tmp_path: Path) -> Iterator[Path]:
    if MKFS is None:
        pytest.skip("mkfs.erofs is not installed")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("hello")
    subprocess.run([MKFS, str(tmp_path / "layer.erofs"), str(tmp_path / "tree")], check=True, capture_output=True)
    yield tmp_path / "layer.erofs"
    mounts.unmount_recursive(tmp_path)


def attached(image: Path) -> bool:
    found = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.append(file.read_text().strip())
        except FileNotFoundError:
            continue
    return str(image) in found


@pytest.fixture(params=[False, True], ids=["any", "devices"])
def handler(request: pytest.FixtureRequest) -> ErofsHandler:
    """As the kernel can, and as kernels before 6.12 could."""
    made = ErofsHandler()
    made._by_devices = request.param
    return made


@root
@loop
def test_a_layer_is_mounted_and_leaves_nothing(layer: Path, tmp_path: Path, handler: ErofsHandler) -> None:
    target = tmp_path / "0"
    mount = Mount("erofs", str(layer), ("ro", "loop"))
    try:
        done = handler.mount(mount, str(target), ())
    except OSError as error:
        if error.errno == errno.ENODEV:
            pytest.skip("no erofs in this kernel")
        raise
    assert (target / "file").read_text() == "hello"
    assert (done.mount_point, done.mount.type, done.mount.options) == (str(target), "erofs", ("ro",))
    assert done.mounted_at > 0
    assert mountinfo.holding(str(target)).type == "erofs"
    assert attached(layer) == handler._by_devices
    handler.unmount(str(target))
    handler.unmount(str(target))
    assert mountinfo.beneath(str(tmp_path)) == []
    assert not attached(layer)


@root
def test_a_kernel_that_wants_devices_is_asked_once(
    layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mount] = []

    def mount(what: Mount, target: Any) -> None:
        asked.append(what)
        if not what.source.startswith("/dev/loop"):
            raise OSError(errno.ENOTBLK, "Block device required")

    monkeypatch.setattr(mounts, "mount", mount)
    handler = ErofsHandler()
    for index in range(2):
        done = handler.mount(Mount("erofs", str(layer)), str(tmp_path / str(index)), ())
        assert done.mount.source.startswith("/dev/loop")
    assert [each.source.startswith("/dev/loop") for each in asked] == [False, True, True]
    assert not attached(layer)


@root
@loop
def test_further_devices_are_attached_too(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        file.write_bytes(bytes(1 << 20))
    with ExitStack() as stack:
        mapped = handlers.attached(Mount("erofs", str(files[0]), ("ro", f"device={files[1]}")), stack)
        assert all(map(attached, files))
        assert Path(mapped.source).is_block_device()
        assert mapped.options[0] == "ro"
        device = mapped.options[1].removeprefix("device=")
        assert Path(device).is_block_device()
        assert handlers.attached(Mount("erofs", device), stack).source == device, "a device stays one"
    assert not any(map(attached, files))


@root
@pytest.mark.parametrize("by_devices", [False, True])
def test_a_failure_leaves_nothing(tmp_path: Path, by_devices: bool) -> None:
    (tmp_path / "no.erofs").write_bytes(bytes(1 << 20))
    handler = ErofsHandler()
    handler._by_devices = by_devices
    for source in (tmp_path / "no.erofs", tmp_path / "absent"):
        with pytest.raises(OSError):
            handler.mount(Mount("erofs", str(source)), str(tmp_path / "0"), ())
        assert not (tmp_path / "0").exists()
        assert not attached(source)


def test_a_layer_that_cannot_be_verified_is_not_mounted(tmp_path: Path) -> None:
    mount = Mount("erofs", str(tmp_path / "layer"), ("X-containerd.dmverity=/meta",))
    with pytest.raises(errors.Unimplemented, match="dm-verity"):
        ErofsHandler().mount(mount, str(tmp_path / "0"), ())
    assert list(tmp_path.iterdir()) == []


def test_what_was_never_mounted_is_no_error(tmp_path: Path) -> None:
    ErofsHandler().unmount(str(tmp_path / "absent"))
