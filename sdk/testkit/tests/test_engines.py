"""Docker's engine, as tests run it: it works, and it leaves nothing."""

import sys
from pathlib import Path

import pytest

from moorage_sys import mountinfo
from moorage_testkit import daemons, engines, images
from moorage_testkit.daemons import Daemon
from moorage_testkit.engines import Engine
from moorage_testkit.images import Layout

needs_engine = pytest.mark.skipif(bool(engines.missing()), reason=engines.missing() or "-")


def outside(engine: Engine) -> set[str]:
    """What of it is to be seen on the host."""
    trees = [Path(entry.mount_point) for entry in mountinfo.read() if entry.type in ("cgroup", "cgroup2")]
    found = {str(tree / engine.cgroup) for tree in trees if (tree / engine.cgroup).exists()}
    found |= {entry.mount_point for entry in mountinfo.read() if entry.mount_point.startswith(str(engine.base))}
    return found | {str(path) for path in (engine.base, Path("/run/docker")) if path.exists()}


@needs_engine
def test_a_container_runs_and_nothing_is_left(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = images.busybox(layout)
    links = set(Path("/sys/class/net").iterdir())
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=engines.NAMESPACES) as daemon:
        with Engine(base / "engine", daemon.address) as engine:
            engine.load(layout.read(image.layers[0]), "busybox")
            assert engine.docker("run", "--rm", "busybox", "echo", "hello").stdout == "hello\n"
            engine.docker("run", "-d", "--name", "left", "busybox", "sleep", "1000")
            assert engine.inspect("left", "{{json .State}}")["Running"] is True
            assert outside(engine)
            assert set(Path("/sys/class/net").iterdir()) == links, "its links are in our network namespace"
            with pytest.raises(AssertionError, match="No such container"):
                engine.docker("logs", "none")
        assert outside(engine) == set()


@needs_engine
def test_one_that_is_killed_leaves_nothing_either(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = images.busybox(layout)
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=engines.NAMESPACES) as daemon:
        with Engine(base / "engine", daemon.address, settings={"live-restore": True}) as engine:
            engine.load(layout.read(image.layers[0]), "busybox")
            engine.docker("run", "-d", "busybox", "sleep", "1000")
            engine.kill()
        assert outside(engine) == set()


@needs_engine
def test_both_it_and_the_daemon_are_killed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = images.busybox(layout)
    with daemons.directory() as base, Daemon(daemons.moorage(), base, namespaces=engines.NAMESPACES) as daemon:
        with Engine(base / "engine", daemon.address) as engine:
            engine.load(layout.read(image.layers[0]), "busybox")
            engine.docker("run", "-d", "--name", "left", "busybox", "sleep", "1000")
            pid = engine.inspect("left", "{{json .State.Pid}}")
            daemon.kill()
            engine.kill()
            engine.settings["nonsense"] = True  # so that it cannot start again to remove it
        assert outside(engine) == set()
        assert not Path(f"/proc/{pid}/exe").exists()


@needs_engine
def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    with daemons.directory() as base:
        engine = Engine(base / "engine", str(base / "none.sock"), settings={"nonsense": True})
        with pytest.raises(AssertionError, match="nonsense"), engine:
            pass
        assert outside(engine) == set()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_testkit.engines.search_path", lambda: str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert engines.missing().startswith("needs dockerd, docker, ")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert engines.missing() == "needs root"


def test_another_engine_brings_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sbin/dockerd", "bin/docker"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("MOORAGE_DOCKERD", str(tmp_path / "sbin" / "dockerd"))
    engine = Engine(tmp_path / "engine", path="/first")
    assert engine.words("ps") == [str(tmp_path / "bin" / "docker"), "ps"]
    assert engine.env["PATH"].startswith(f"/first:{tmp_path}/sbin:")


@needs_engine
def test_a_daemon_that_it_starts_by_itself_ends_with_it(tmp_path: Path) -> None:
    (tmp_path / "containerd").symlink_to(Path(sys.executable).with_name("mooraged"))
    with daemons.directory() as base:
        with Engine(base / "engine", path=str(tmp_path)) as engine:
            pid = engine.managed
            assert str(base) in Path(f"/proc/{pid}/cmdline").read_text("utf-8")
        assert not Path(f"/proc/{pid}").exists()
        assert outside(engine) == set()
        assert engine.managed == 0
