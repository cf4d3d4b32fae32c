"""Daemons as processes: plugins of a test's own site directory, and once whatever is installed."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_core.signals import IMPATIENCE

A = "io.example.alpha.v1"
SECONDS = 30

SERVER = """
import asyncio
from moorage_sdk.services import SERVER, Server
class Demo(Server):
    address = "demo"
    async def start(self):
        print("server started", flush=True)
    async def stop(self, grace):
        print("server stopped", flush=True)
plugin = Plugin(SERVER, "demo", lambda ctx, config: Demo())
"""

ALPHA = """
def make(ctx, config):
    ctx.on_close(lambda: print("{0} closed", flush=True))
    print("{0} made", flush=True)
    return 1
plugin = Plugin(ALPHA, "{0}", make)
"""

SIZED = """
@dataclass(frozen=True)
class Config:
    size: int = 0
plugin = Plugin(ALPHA, "one", lambda ctx, config: 1, Config)
"""

WAITING = """
import pathlib, time
def make(ctx, config):
    print("waiting", flush=True)
    end = time.monotonic() + {seconds}
    while not pathlib.Path("{go}").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return 1
plugin = Plugin(ALPHA, "a", make)
"""

HANGING = """
import time
def make(ctx, config):
    ctx.on_close(lambda: (print("closing", flush=True), time.sleep(60)))
    return 1
plugin = Plugin(ALPHA, "a", make)
"""


class Daemon:
    """A daemon in a process, told of by its notification socket."""

    def __init__(self, tmp_path: Path, command: list[str], *arguments: str) -> None:
        self.path = tmp_path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = tmp_path / f"notify-{time.monotonic_ns()}"
        self._socket.bind(str(address))
        self._socket.settimeout(SECONDS)
        environment = {**os.environ, "NOTIFY_SOCKET": str(address), "TMPDIR": str(tmp_path)}
        environment.pop("WATCHDOG_USEC", None)
        where = ["--root", str(tmp_path / "root"), "--state", str(tmp_path / "state")]
        self.process = subprocess.Popen(
            [*command, *where, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    def heard(self) -> str:
        """The next notification."""
        return self._socket.recv(4096).decode()

    def end(self, *signals: signal.Signals) -> tuple[int, str]:
        """Send signals; the exit code and all output."""
        for number in signals:
            self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, output

    def close(self) -> None:
        self._socket.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=SECONDS)


Start = Callable[..., Daemon]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    """Start daemons that do not outlive the test."""
    daemons: list[Daemon] = []

    def start(command: list[str], *arguments: str) -> Daemon:
        daemons.append(Daemon(tmp_path, command, *arguments))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.close()


@pytest.fixture
def demo(site: Any, started: Start, tmp_path: Path) -> Start:
    """Start a daemon that has only the plugins of the test's site, and one server."""
    site.add("moorage-demo", {"moorage.slots": {"server": "moorage_sdk.services:SERVER"}}, {})
    code = (
        f"import sys; sys.path.insert(0, {str(site.path)!r})\n"
        "from importlib import metadata\nfrom moorage_core import cli, discovery, processes\n"
        f"found = [each for dist in metadata.distributions(path=[{str(site.path)!r}]) for each in dist.entry_points]\n"
        "discovery._all = lambda: found\nprocesses.leave(cli.main())"
    )
    (tmp_path / "empty.toml").write_text("")

    def start(*arguments: str) -> Daemon:
        configured = () if "--config" in arguments else ("--config", str(tmp_path / "empty.toml"))
        return started([sys.executable, "-I", "-c", code], *configured, *arguments)

    return start


def test_a_life(site: Any, demo: Start, tmp_path: Path) -> None:
    site.plugin("demo", SERVER, slot="server")
    site.plugin("one", ALPHA.format("one"))
    site.plugin("bad", "raise SystemExit(3)")
    daemon = demo()
    assert daemon.heard() == "READY=1"
    modes = {name: oct((tmp_path / name).stat().st_mode & 0o777) for name in ("root", "state")}
    assert modes == {"root": "0o700", "state": "0o711"}
    code, output = daemon.end(signal.SIGTERM)
    assert daemon.heard() == "STOPPING=1"
    assert code == 0
    told = [line for line in output.splitlines() if line.startswith(("server ", "one "))]
    assert told == ["one made", "server started", "server stopped", "one closed"]
    for line in ('msg="loading plugin"', 'msg="failed to load plugin"'):
        assert line in output
    assert re.search(r'msg="containerd successfully booted in \d+\.\d{6}s"', output)


def test_an_existing_root_is_made_private(demo: Start, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root").chmod(0o777)
    daemon = demo()
    assert daemon.heard() == "READY=1"
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("flag", ["--root", "--state"])
def test_a_second_daemon_is_refused_naming_the_first(demo: Start, tmp_path: Path, flag: str) -> None:
    first = demo()
    assert first.heard() == "READY=1"
    other = "--state" if flag == "--root" else "--root"
    second = demo(other, str(tmp_path / "elsewhere"))
    code, output = second.end()
    assert code == 1
    assert f'{flag[2:]} "{tmp_path}/{flag[2:]}": in use by the daemon with pid {first.process.pid}' in output
    assert first.end(signal.SIGTERM)[0] == 0
    third = demo()
    assert third.heard() == "READY=1"


def test_a_faulty_configuration_starts_nothing(site: Any, demo: Start, tmp_path: Path) -> None:
    site.plugin("one", ALPHA.format("one"))
    config = tmp_path / "config.toml"
    config.write_text(f'version = 4\noom_score = "x"\n[plugins."{A}.one"]\nsize = 1\n')
    code, output = demo("--config", str(config)).end()
    assert code == 1
    assert f"{config}:2:1: oom_score: expected integer, got string" in output
    assert "config check" in output and "one made" not in output
    assert not (tmp_path / "root").exists()


def test_a_fault_in_a_plugins_table_leaves_no_directories(site: Any, demo: Start, tmp_path: Path) -> None:
    """It is found when the plugin is loaded, after the directories are made."""
    site.plugin("one", SIZED)
    config = tmp_path / "config.toml"
    config.write_text(f'version = 4\n[plugins."{A}.one"]\nsize = "x"\n')
    code, output = demo("--config", str(config)).end()
    assert code == 1
    assert f'{config}:3:1: plugins."{A}.one".size: expected integer, got string' in output
    assert not (tmp_path / "root").exists() and not (tmp_path / "state").exists()


def test_a_server_that_may_not_listen_says_where(site: Any, demo: Start) -> None:
    site.plugin("b", SERVER.replace('print("server started", flush=True)', 'open("/")'), slot="server")
    code, output = demo().end()
    assert code == 1
    assert 'cannot listen at "demo": Is a directory (let uid' in output and "Traceback" not in output


def test_an_unknown_log_level_starts_nothing(demo: Start) -> None:
    code, output = demo("--log-level", "loud").end()
    assert code == 1
    assert "flag --log-level: debug.level: expected one of" in output


def test_a_required_plugin_that_fails_stops_the_daemon_and_closes_the_others(
    site: Any, demo: Start, tmp_path: Path
) -> None:
    site.plugin("a", ALPHA.format("a"))
    failing = "def make(ctx, config):\n    raise errors.Unavailable('disk full')\n"
    site.plugin("b", failing + "plugin = Plugin(ALPHA, 'b', make)")
    config = tmp_path / "config.toml"
    config.write_text(f'required_plugins = ["{A}.b"]')
    code, output = demo("--config", str(config)).end()
    assert code == 1
    assert f'required plugin "{A}.b": failed: disk full' in output
    assert "a closed" in output


def test_a_server_that_cannot_listen_ends_the_daemon(site: Any, demo: Start) -> None:
    failing = SERVER.replace('print("server started", flush=True)', 'raise errors.FailedPrecondition("address in use")')
    site.plugin("demo", failing, slot="server")
    code, output = demo().end()
    assert (code, "address in use" in output, "server stopped" in output) == (1, True, False)


def test_a_server_with_a_bug_is_named(site: Any, demo: Start) -> None:
    site.plugin("demo", SERVER.replace('print("server started", flush=True)', "1 / 0"), slot="server")
    code, output = demo().end()
    assert code == 1
    assert 'server "io.containerd.server.v1.demo": cannot start: ZeroDivisionError: division by zero' in output


def test_stopping_while_starting_is_a_clean_end(site: Any, demo: Start, tmp_path: Path) -> None:
    site.plugin("a", WAITING.format(seconds=SECONDS, go=tmp_path / "go"))
    site.plugin("b", ALPHA.format("b"))
    daemon = demo()
    assert daemon.process.stdout is not None
    while "waiting" not in daemon.process.stdout.readline():
        pass
    daemon.process.send_signal(signal.SIGTERM)
    (tmp_path / "go").write_text("")
    code, output = daemon.end()
    assert (code, "b made" in output, "successfully booted" in output) == (0, False, False)


def test_a_second_signal_does_not_wait_for_a_plugin_that_hangs(site: Any, demo: Start) -> None:
    site.plugin("a", HANGING)
    daemon = demo()
    assert daemon.heard() == "READY=1"
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.stdout is not None
    while "closing" not in daemon.process.stdout.readline():
        pass
    time.sleep(IMPATIENCE)  # sooner it would be the same request
    assert daemon.end(signal.SIGTERM)[0] == 1


def test_hangup_does_not_end_it_and_stacks_can_be_had(demo: Start, tmp_path: Path) -> None:
    daemon = demo()
    assert daemon.heard() == "READY=1"
    daemon.process.send_signal(signal.SIGHUP)
    daemon.process.send_signal(signal.SIGUSR1)
    stacks = tmp_path / f"mooraged.{daemon.process.pid}.stacks.log"
    end = time.monotonic() + SECONDS
    while not (stacks.exists() and "in serve" in stacks.read_text()):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert daemon.end(signal.SIGTERM)[0] == 0


def test_the_watchdog_of_systemd_is_fed(site: Any, demo: Start) -> None:
    code = "import os\nos.environ['WATCHDOG_USEC'] = '200000'\nplugin = Plugin(ALPHA, 'a', lambda ctx, config: 1)"
    site.plugin("a", code)
    daemon = demo()
    assert [daemon.heard() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_hooks_hear_of_the_moments(site: Any, demo: Start) -> None:
    source = """
from moorage_sdk import hooks
@hooks.impl
def plugins_ready(statuses):
    print("ready", [status.uri for status in statuses], flush=True)
@hooks.impl
def daemon_ready(addresses):
    print("addresses", addresses, flush=True)
@hooks.impl
def daemon_stopping():
    print("stopping soon", flush=True)
"""
    site.plugin("demo", SERVER, slot="server")
    site.add("moorage-listener", {"moorage.hooks": {"listener": "site_listener"}}, {"site_listener": source})
    site.add("acme-listener", {"moorage.hooks": {"theirs": "site_theirs"}}, {"site_theirs": "print('never')"})
    daemon = demo()
    assert daemon.heard() == "READY=1"
    _, output = daemon.end(signal.SIGINT)
    told = [line for line in output.splitlines() if line.startswith(("ready", "addresses", "stopping soon", "never"))]
    assert told == [
        "ready ['io.containerd.server.v1.demo', 'io.moorage.hooks.v1.listener', 'io.moorage.hooks.v1.theirs']",
        "addresses {'io.containerd.server.v1.demo': 'demo'}",
        "stopping soon",
    ]


def test_whatever_is_installed_starts_and_stops(started: Start, tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("version = 4\n")
    address = tmp_path / "state" / "test.sock"
    command = [sys.executable, "-I", "-m", "moorage_core"]
    daemon = started(command, "--config", str(tmp_path / "empty.toml"), *_address(address))
    assert daemon.heard() == "READY=1"
    comm = Path(f"/proc/{daemon.process.pid}/comm").read_text().strip()
    code, output = daemon.end(signal.SIGTERM)
    assert (code, comm) == (0, "mooraged"), output


def test_the_script_under_the_name_containerd_is_containerd(started: Start, tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "mooraged"
    if not script.exists():
        pytest.skip("the console script is not installed beside this interpreter")
    (tmp_path / "containerd").symlink_to(script)
    (tmp_path / "empty.toml").write_text("version = 4\n")
    address = tmp_path / "state" / "test.sock"
    daemon = started([str(tmp_path / "containerd")], "--config", str(tmp_path / "empty.toml"), *_address(address))
    assert daemon.heard() == "READY=1"
    assert Path(f"/proc/{daemon.process.pid}/comm").read_text().strip() == "containerd"
    arguments = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes().split(b"\0")
    assert arguments[1:4] == [b"-I", b"-m", b"moorage_core"]
    assert daemon.end(signal.SIGTERM)[0] == 0


def _address(path: Path) -> tuple[str, ...]:
    """The flag that keeps an installed server away from the host's own address, where there is one that takes it."""
    from moorage_core import discovery

    return ("--address", str(path)) if discovery.Installed().candidates(discovery.CONFIG) else ()
