"""What a confined process can still do is asked of one that is confined."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_differ_walking import confinements
from moorage_sys import mountinfo, seccomp

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")

PREPARE = """
import os, sys, json, threading, socket
from pathlib import Path
from moorage_differ_walking import confinements
from moorage_differ_walking.targets import Target
from moorage_sdk.mounts import Mount
from moorage_sys import mounts, processes
folder = Path(sys.argv[1])
def attempt(call):
    try:
        return repr(call())
    except BaseException as error:
        return type(error).__name__
"""
ENTER = (
    PREPARE
    + """
target = Target(upper=str(folder / "upper"), lower=(str(folder / "lower"),))
confinements.load_everything()
root, below = confinements.enter_target(target, folder / "workspace")
"""
)


def run(code: str, folder: Path) -> list[str]:
    for name in ("upper", "lower", "workspace"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "upper/inside").touch()
    (folder / "lower/below").touch()
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert mountinfo.beneath(str(folder)) == []
    return done.stdout.splitlines()


def test_target_is_all_there_is(tmp_path: Path) -> None:
    code = (
        ENTER
        + """
print(os.listdir("/"), os.listdir("/.."), os.getcwd())
above = os.open("..", os.O_RDONLY, dir_fd=below[0])
print(os.listdir(above))
print(attempt(lambda: os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=below[0])))
"""
    )
    assert run(code, tmp_path) == ["['inside'] ['inside'] /", "['below']", "OSError"]


def test_other_mounts_are_mounted_on_the_workspace(tmp_path: Path) -> None:
    code = (
        PREPARE
        + """
bind = Mount("bind", str(folder / "upper"), ("rbind", "rw"))
root, below = confinements.enter_target(Target(mounts=(bind,)), folder / "workspace")
print(os.listdir("/"), below)
"""
    )
    assert run(code, tmp_path) == ["['inside'] []"]


def test_pair_is_read_only(tmp_path: Path) -> None:
    code = (
        PREPARE
        + """
bind = Mount("bind", str(folder / "upper"), ("rbind", "rw"))
lower, upper = confinements.enter_pair((), (bind,), folder / "workspace")
print(os.listdir(lower), os.listdir(upper))
print(attempt(lambda: os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=upper)))
"""
    )
    assert run(code, tmp_path) == ["[] ['inside']", "OSError"]


@pytest.mark.skipif(not seccomp.supported(), reason="no filter for this architecture")
def test_nothing_is_left_to_do_harm_with(tmp_path: Path) -> None:
    code = (
        ENTER
        + """
confinements.drop([*confinements.WRITING, confinements.OVERLAY])
print(attempt(socket.socket))
print(attempt(lambda: os.execv("/inside", ["x"])))
print(attempt(lambda: mounts.mount(Mount("tmpfs", "tmpfs"), "/")))
print(attempt(lambda: processes.unshare(processes.CLONE_NEWUSER)))
print(attempt(lambda: processes.unshare(processes.CLONE_NEWNS)))
print(attempt(lambda: os.chroot("/")))
print(attempt(lambda: os.setuid(1)))
os.mknod("/node", 0o20600, os.makedev(0, 0))
os.setxattr("/", "trusted.overlay.opaque", b"y")
print(os.umask(0o022))
"""
    )
    assert run(code, tmp_path) == [*["PermissionError"] * 7, "0"]


def test_without_overlay_no_trusted_attributes(tmp_path: Path) -> None:
    code = (
        ENTER
        + """
confinements.drop(confinements.WRITING)
print(attempt(lambda: os.setxattr("/", "trusted.overlay.opaque", b"y")))
"""
    )
    assert run(code, tmp_path) == ["PermissionError"]


def test_nothing_is_loaded_from_the_layer(tmp_path: Path) -> None:
    """A module, or a library that a thread's end makes the C library look for (CVE-2019-14271)."""
    code = (
        ENTER
        + """
confinements.drop(confinements.WRITING)
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event in ("open", "import") else None)
print(attempt(lambda: __import__("wave")))
thread = threading.Thread(target=lambda: None)
thread.start()
thread.join()
print([name for name in opened if name != "wave"])
print("libgcc_s" in maps)
"""
    )
    code = code.replace("root, below =", 'maps = open("/proc/self/maps").read()\nroot, below =')
    assert run(code, tmp_path) == ["ModuleNotFoundError", "[]", "True"]


def test_denied_calls_are_known_on_every_architecture() -> None:
    for machine in seccomp.NUMBERS:
        assert seccomp.program(confinements.DENIED, machine)
