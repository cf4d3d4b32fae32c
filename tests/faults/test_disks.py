"""Disks that are full, read-only or not to be written: an error that says so, and nothing lost."""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit.daemons import Daemon, moorage
from moorage_testkit.registries import Registry
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:test"
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def fill(folder: Path, keep: int = 0) -> Path:
    """Use all space but ``keep`` bytes; the file to remove again."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):
        for step in (1 << 20, 1 << 12):  # the last blocks need blocks of their own to be found again
            while os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize > keep:
                file.write(bytes(step))
    return filler


@pytest.mark.parametrize("keep", [0, 8 << 20, 24 << 20], ids=["nothing", "a little", "too little"])
def test_a_full_disk(small: Path, base: Path, namespace: str, archive: Path, heavy: Path, keep: int) -> None:
    """What was there works on; after making room so does what failed."""
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        (busybox,) = daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
        filler = fill(small, keep)
        failed = daemon.ctr("-n", namespace, "images", "import", str(heavy), check=False)
        assert failed.returncode != 0
        assert "no space left on device" in failed.stderr.lower(), failed.stderr
        assert busybox in daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
        filler.unlink()
        assert daemon.ctr("-n", namespace, "run", "--rm", busybox, "web", "echo", "there").stdout == "there\n"
        verify_world(daemon.world).assert_clean()
        daemon.ctr("-n", namespace, "images", "import", str(heavy))
        verify_world(daemon.world).assert_clean()
        daemon.restart()
        assert len(daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()) == 2
        verify_world(daemon.world).assert_clean()


def test_a_full_disk_lets_one_delete(
    small: Path, base: Path, namespace: str, archive: Path, registry: Registry
) -> None:
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        (busybox,) = daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
        filler = fill(small)
        daemon.ctr("-n", namespace, "images", "rm", "--sync", busybox)
        verify_world(daemon.world).assert_clean()
        filler.unlink()


def test_a_daemon_on_a_full_disk_is_clear_or_serves(small: Path, base: Path, namespace: str) -> None:
    """It may be unable to make its stores; then it says why, and starts when there is room."""
    filler = fill(small)
    daemon = Daemon(moorage(), base, namespaces=[namespace])
    process = daemon.spawn()
    try:
        process.wait(3)
    except subprocess.TimeoutExpired:
        daemon.terminate()
    said = daemon.tail().lower()
    assert "no space left on device" in said or "booted" in said
    assert "Traceback" not in daemon.log.read_text()
    filler.unlink()
    with daemon:
        verify_world(daemon.world).assert_clean()


@pytest.mark.parametrize("which", ["root", "state"])
def test_a_read_only_directory(base: Path, which: str) -> None:
    folder = base / which
    folder.mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs", ("ro",)), folder)
    daemon = Daemon(moorage(), base)
    assert daemon.spawn().wait(60) == 1
    last = daemon.tail().strip().splitlines()[-1]
    assert last.startswith(f'mooraged: directory "{folder}": Read-only file system (mount it writable')
    assert "Traceback" not in daemon.log.read_text()


def test_a_disk_that_the_kernel_makes_read_only(small: Path, base: Path, namespace: str, archive: Path) -> None:
    """As after an error of the disk. Who only reads is served on; the rest is there again with the disk."""
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        subprocess.run(["mount", "-o", "remount,abort", small], check=True)
        for words in (["images", "import", str(archive)], ["images", "rm", "--sync", BUSYBOX]):
            failed = daemon.ctr("-n", namespace, *words, check=False)
            assert failed.returncode != 0
            assert f'"{small}/' in failed.stderr and "read-only file system" in failed.stderr.lower(), failed.stderr
        assert daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split() == [BUSYBOX]
        daemon.terminate()
        assert daemon.spawn().wait(60) == 1
        assert f'mooraged: directory "{small}": Read-only file system (' in daemon.tail().splitlines()[-1]
        mounts.unmount_recursive(small)
        subprocess.run(["fsck.ext4", "-fy", base / "disk"], stdout=subprocess.DEVNULL, check=False)
        mounts.mount(Mount("ext4", str(base / "disk"), ("loop",)), small)
        daemon.start()
        verify_world(daemon.world).assert_clean()
        assert daemon.ctr("-n", namespace, "run", "--rm", BUSYBOX, "web", "echo", "there").stdout == "there\n"


def lose_power(folder: Path) -> None:
    """From now on nothing reaches the disk, and what was not synced is lost (EXT4_IOC_SHUTDOWN, fs/ext4/ext4.h)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
    finally:
        os.close(fd)


@pytest.mark.parametrize("acknowledged", [True, False], ids=["after", "during"])
def test_a_loss_of_power(
    small: Path,
    base: Path,
    namespace: str,
    archive: Path,
    registry: Registry,
    chance: random.Random,
    full: bool,
    acknowledged: bool,
) -> None:
    """What was acknowledged is on the disk, byte for byte, and the stores open as if nothing had been."""
    name = f"{registry.address}/layered:latest"
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        pull = ["ctr", "--address", daemon.address, "-n", namespace, "images", "pull", "--plain-http", name]
        for _ in range(20 if full else 2):
            daemon.ctr("-n", namespace, "images", "rm", "--sync", name, check=False)
            with subprocess.Popen(pull, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
                if acknowledged:
                    assert client.wait() == 0
                else:
                    time.sleep(chance.uniform(0, 0.5))
                done = client.poll() == 0
                lose_power(small)
                daemon.kill()
                client.kill()
            mounts.unmount_recursive(small)
            mounts.mount(Mount("ext4", str(base / "disk"), ("loop",)), small)
            daemon.start()
            there = daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
            assert set(there) >= ({name, BUSYBOX} if done else {BUSYBOX})
            verify_world(daemon.world).assert_clean()
        assert daemon.ctr("-n", namespace, "run", "--rm", BUSYBOX, "web", "echo", "there").stdout == "there\n"
