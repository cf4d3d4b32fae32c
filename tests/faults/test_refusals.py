"""Directories and files that the host refuses to the daemon: it says which and what to do, and nothing is lost.

Root is refused nothing, so the daemon runs here without capabilities: as root, and as somebody else.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from moorage_client.clients import connect
from moorage_client.plugins import Plugin
from moorage_testkit import trees
from moorage_testkit.daemons import Daemon, Program, moorage
from moorage_testkit.worlds import verify_world

STRANGER, NOBODY = 4242, 65534
POWERLESS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
USERS = {"root": POWERLESS, "nobody": (*POWERLESS, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")}
CONTENT = "io.containerd.content.v1.content"
METADATA = "io.containerd.metadata.v1.lmdb"
NATIVE = "io.containerd.snapshotter.v1.native"
OVERLAYFS = "io.containerd.snapshotter.v1.overlayfs"
TASKS = "io.containerd.runtime.v2.task"
BUSYBOX = "docker.io/library/busybox:test"

Start = Callable[..., list[str]]


@pytest.fixture(params=USERS)
def user(request: pytest.FixtureRequest, base: Path) -> str:
    """Who the daemon is."""
    base.chmod(0o777)
    reach = [*USERS[request.param], sys.executable, "-I", "-c", "import moorage_core.cli"]
    if subprocess.run(reach, capture_output=True, check=False).returncode:
        pytest.skip(f"{request.param} cannot reach the interpreter or the code")
    return str(request.param)


@pytest.fixture
def start(user: str, base: Path) -> Start:
    """Start in vain, with other places than the usual ones. What is said besides the log."""

    def start(**places: Path) -> list[str]:
        usual = {"root": base / "root", "state": base / "state", "address": base / "sockets" / "s"}
        flags = [f"--{name}={place}" for name, place in {**usual, **places}.items()]
        command, env = [*USERS[user], *moorage().command, *flags], {**os.environ, **moorage().env}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1, done.stderr
        return [line for line in done.stderr.splitlines() if not line.startswith("time=")]

    return start


@pytest.fixture
def uid(user: str) -> int:
    return NOBODY if user == "nobody" else 0


def foreign(path: Path, mode: int) -> Path:
    """A directory of somebody else."""
    path.mkdir()
    path.chmod(mode)
    os.chown(path, STRANGER, STRANGER)
    return path


@pytest.mark.parametrize("which", ["root", "state"])
@pytest.mark.parametrize("mode", [0o700, 0o555], ids=oct)
def test_a_directory_of_somebody_else(start: Start, base: Path, uid: int, which: str, mode: int) -> None:
    place = foreign(base / "theirs", mode)
    (place / "precious").touch()
    before, inside = trees.read(base), trees.read(place, times=True)
    (line,) = start(**{which: place})
    assert re.fullmatch(rf'mooraged: directory "{place}": not writable by uid {uid} \(give it to that user, .*\)', line)
    (line,) = start(**{which: place / "a" / "b"})
    message = rf'mooraged: directory "{place}/a": Permission denied \(let uid {uid} write in "{place}", .*\)'
    assert re.fullmatch(message, line)
    assert trees.read(base) == before, "a daemon that does not start leaves no trace"
    assert trees.read(place, times=True) == inside


@pytest.mark.parametrize("mode", [0o700, 0o555], ids=oct)
def test_a_socket_in_a_directory_of_somebody_else(start: Start, base: Path, uid: int, mode: int) -> None:
    """It is tried last, so the stores are there by then; they serve whoever comes when it is mended."""
    place = foreign(base / "theirs", mode)
    for address in (place / "s", place / "below" / "s"):
        (line,) = start(address=address)
        assert line.startswith(f'mooraged: socket "{address}": Permission denied') and f"(let uid {uid} write" in line
        assert list(place.iterdir()) == []
    os.chown(base / "root", 0, 0)
    os.chown(base / "state", 0, 0)
    with Daemon(moorage(), base) as daemon:
        verify_world(daemon.world).assert_clean()


@pytest.mark.parametrize("mode", [0o700, 0o555], ids=oct)
def test_a_second_socket_elsewhere(start: Start, base: Path, mode: int) -> None:
    """The first one, which clients can see already, goes with the daemon."""
    place = foreign(base / "theirs", mode)
    config = base / "config.toml"
    config.write_text(f'version = 4\n[plugins."io.containerd.server.v1.ttrpc"]\naddress = "{place}/t"\n')
    config.chmod(0o644)
    (line,) = start(config=config, address=base / "s")
    assert f'"{place}/t"' in line and "Permission denied" in line, line
    assert not (base / "s").exists() and list(place.iterdir()) == []


def test_configuration_that_may_not_be_read(start: Start, base: Path, uid: int) -> None:
    closed = foreign(base / "closed", 0o700)
    secret, inside, main = closed.parent / "secret.toml", closed / "x.toml", base / "main.toml"
    for path in (secret, inside):
        path.write_text("version = 4\n")
        path.chmod(0o600)
        os.chown(path, STRANGER, STRANGER)
    main.write_text('version = 4\nimports = ["secret.toml", "closed/x.toml", "closed/*.toml"]\n')
    main.chmod(0o644)
    before = trees.read(base, times=True)
    refusal = f"Permission denied (uid {uid} must be able to read it)"
    for path in (secret, inside):
        assert start(config=path)[:-1] == [f'mooraged: configuration "{path}": {refusal}']
    lines = start(config=main)
    assert "config check" in lines.pop()
    assert sorted(line.removeprefix(f"mooraged: {main}:2:") for line in lines) == [
        f'12: configuration "{secret}": {refusal}',
        f'27: configuration "{inside}": {refusal}',
        f'44: import "{closed}/*.toml": directory "{closed}": {refusal}',
    ]
    assert trees.read(base, times=True) == before


def powerless(config: str = "") -> Program:
    """The daemon as root without capabilities, which serves, but mounts nothing."""
    return Program((*POWERLESS, *moorage().command), config, moorage().env)


def plugins(daemon: Daemon) -> dict[str, Plugin]:
    async def ask() -> list[Plugin]:
        async with connect(daemon.address) as client:
            return await client.plugins.list()

    return {plugin.uri: plugin for plugin in asyncio.run(ask())}


def run(daemon: Daemon, namespace: str, *words: str) -> str:
    return daemon.ctr("-n", namespace, "run", "--rm", *words, BUSYBOX, "web", "echo", "there").stdout


@pytest.fixture
def filled(base: Path, namespace: str, archive: Path) -> Path:
    """A root with an image in both snapshotters, whose daemon has ended."""
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        for snapshotter in ("native", "overlayfs"):
            daemon.ctr("-n", namespace, "images", "import", "--snapshotter", snapshotter, str(archive))
        daemon.terminate()
    return base / "root"


@contextmanager
def taken(path: Path, mode: int) -> Iterator[None]:
    """Somebody else owns it meanwhile."""
    before = path.stat().st_mode
    os.chown(path, STRANGER, STRANGER)
    path.chmod(mode)
    yield
    os.chown(path, 0, 0)
    path.chmod(before & 0o777)


@pytest.mark.parametrize("mode", [0o700, 0o555], ids=oct)
def test_a_plugins_own_directory(filled: Path, base: Path, namespace: str, mode: int) -> None:
    """That plugin alone is out; what it keeps is neither forgotten nor collected by those that work."""
    with taken(filled / NATIVE, mode):
        with Daemon(powerless(), base, namespaces=[namespace]) as daemon:
            found = plugins(daemon)
            assert [uri for uri, plugin in found.items() if plugin.status == "error"] == [NATIVE]
            assert str(filled / NATIVE) in found[NATIVE].error
            assert re.search("Permission denied|Operation not permitted", found[NATIVE].error)
            assert "Traceback" not in daemon.tail(1 << 20)
            assert daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split() == [BUSYBOX]
            daemon.ctr("-n", namespace, "images", "tag", BUSYBOX, "other")
            daemon.ctr("-n", namespace, "images", "rm", "--sync", "other")
        daemon = Daemon(powerless(f'version = 4\nrequired_plugins = ["{NATIVE}"]\n'), base)
        assert daemon.spawn().wait(60) == 1
        last = daemon.tail().splitlines()[-1]
        assert last.startswith(f'mooraged: required plugin "{NATIVE}": failed: ') and str(filled / NATIVE) in last
        assert last.endswith("(mend it, or take it out of required_plugins)")
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        for snapshotter in ("native", "overlayfs"):
            assert run(daemon, namespace, "--snapshotter", snapshotter) == "there\n"
        verify_world(daemon.world).assert_clean()


def test_a_plugin_that_others_need(filled: Path, base: Path, namespace: str) -> None:
    """Each of them says whose fault it is, and the daemon is there to be asked."""
    with taken(filled / CONTENT, 0o555):
        with Daemon(powerless(), base, namespaces=[namespace]) as daemon:
            found = plugins(daemon)
            assert f'"{filled / CONTENT}' in found[CONTENT].error
            assert f'plugin "{CONTENT}": failed: {found[CONTENT].error}' in found[METADATA].error
            assert found[NATIVE].status == "ok"
            assert "Traceback" not in daemon.tail(1 << 20)
    with Daemon(moorage(), base, namespaces=[namespace]) as daemon:
        assert run(daemon, namespace) == "there\n"
        verify_world(daemon.world).assert_clean()


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Not even root may change the directory, as after ``chattr +i``."""
    subprocess.run(["chattr", "+i", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


@pytest.mark.parametrize("which", ["root", "state"])
def test_an_immutable_directory(small: Path, base: Path, which: str) -> None:
    """For root itself, with all that it may."""
    place = small / which
    place.mkdir(mode=0o700)
    daemon = Daemon(moorage(), base)
    daemon.root, daemon.state = small / "root", small / "state"
    with immutable(place):
        assert daemon.spawn().wait(60) == 1
        (line,) = [line for line in daemon.log.read_text().splitlines() if not line.startswith("time=")]
        assert line.startswith(f'mooraged: directory "{place}": not writable by uid 0 (') and "immutable" in line
        assert {path.name for path in small.iterdir()} == {which, "lost+found"}
    with daemon:
        verify_world(daemon.world).assert_clean()


@pytest.mark.parametrize(
    "place, what",
    [
        (f"root/{CONTENT}/ingest", "import"),
        (f"root/{CONTENT}/blobs/sha256", "import"),
        (f"root/{OVERLAYFS}/snapshots", "run"),
        (f"state/{TASKS}/faults", "run"),
    ],
)
def test_a_directory_that_becomes_immutable(
    small: Path, base: Path, namespace: str, archive: Path, heavy: Path, place: str, what: str
) -> None:
    """The daemon goes on with all that needs it not, and with the rest as soon as it may."""
    daemon = Daemon(moorage(), base, namespaces=[namespace])
    daemon.root, daemon.state = small / "root", small / "state"
    works = {
        "import": lambda check: daemon.ctr("-n", namespace, "images", "import", str(heavy), check=check),
        "run": lambda check: daemon.ctr("-n", namespace, "run", "--rm", BUSYBOX, "web", "true", check=check),
    }
    with daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        works["run"](True)
        with immutable(small / place):
            failed = works[what](False)
            assert failed.returncode != 0
            assert f'"{small / place}' in failed.stderr and "operation not permitted" in failed.stderr, failed.stderr
            assert "lsattr" in failed.stderr and "Error" not in failed.stderr, failed.stderr
            if what == "import":
                works["run"](True)
            assert BUSYBOX in daemon.ctr("-n", namespace, "images", "ls", "-q").stdout.split()
            assert "Traceback" not in daemon.tail(1 << 20)
        verify_world(daemon.world).assert_clean()
        for work in works.values():
            work(True)
        verify_world(daemon.world).assert_clean()
