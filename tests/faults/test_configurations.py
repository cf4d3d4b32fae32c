"""Bad configuration: the daemon does not start, says all that is wrong with file and line, and changes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from moorage_testkit.daemons import Daemon, Program, moorage

OVERLAYFS = "io.containerd.snapshotter.v1.overlayfs"
STARTED = re.compile(r"^time=.*$\n?", re.MULTILINE)


@pytest.fixture
def place(base: Path) -> Path:
    folder = base / "conf"
    folder.mkdir()
    return folder


def refuse(base: Path, config: Path) -> list[str]:
    """Start with that file. The lines that say why not, without the name of the program before each."""
    daemon = Daemon(moorage(), base)
    places = {"config": config, "root": daemon.root, "state": daemon.state, "address": daemon.address}
    flags = [word for name, value in places.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([*daemon.program.command, *flags], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert not daemon.root.exists() and not daemon.state.exists(), "a daemon that does not start leaves no trace"
    return [line.removeprefix("mooraged: ") for line in STARTED.sub("", done.stderr).splitlines()]


def test_one_syntax_fault_of_each_file_and_all_others_at_once(base: Path, place: Path) -> None:
    main, first, second = place / "config.toml", place / "first.toml", place / "second.toml"
    main.write_text(
        "version = 4\n"
        'imports = ["first.toml", "second.toml", "absent.toml"]\n'
        f'[plugins."{OVERLAYFS}"]\n'
        'sync_remove = "yes"\n'
        "[debug]\n"
        'level = "loud"\n'
    )
    first.write_text("x = [1,\n\ny == 2\n")
    second.write_text("version = 4\noom_score ==\nroot =\n")
    lines = refuse(base, main)
    expected = [
        (f"{first}:3:", "Invalid value|Unclosed|Expected"),
        (f"{second}:2:", "Invalid value"),
        (f"{main}:2:41: ", f'import "{place}/absent.toml": no such file'),
        (f"{main}:4:1: ", f'plugins."{OVERLAYFS}".sync_remove: expected boolean, got string'),
        (f"{main}:6:1: ", 'debug.level: expected one of .*, got "loud"'),
    ]
    for place_, message in expected:
        found = [line for line in lines if line.startswith(place_)]
        assert found and re.search(message, found[0]), (place_, lines)
    assert len(lines) == len(expected) + 1
    assert "config check" in lines[-1]


def test_all_faults_of_meaning_at_once(base: Path, place: Path) -> None:
    file = place / "config.toml"
    file.write_text(
        "version = 4\n"
        "oom_score = 5000\n"
        'disabled_plugins = ["io.containerd.cri", "nonsense"]\n'
        'required_plugins = ["io.containerd.nothing.v1.x"]\n'
        f'[plugins."{OVERLAYFS}"]\n'
        "mount_options = [1]\n"
    )
    lines = refuse(base, file)
    assert {line.split(": ")[0] for line in lines[:-1]} == {f"{file}:{at}" for at in ("2:1", "3:42", "4:21", "6:18")}
    for phrase in ("oom_score", '"nonsense"', '"io.containerd.nothing.v1.x"', "mount_options[0]: expected string"):
        assert any(phrase in line for line in lines), (phrase, lines)


@pytest.mark.parametrize(
    "text, place_, message",
    [
        ("version = 9\n", "1:1", "version: 9 is unknown"),
        ("version = 4\ntemp = 7\n", "2:1", "temp: expected string"),
        ("version = 4\nplugins = 3\n", "2:1", "plugins"),
        ('version = 4\n[plugins]\n"io.containerd.gc.v1.scheduler" = "x"\n', "3:1", "scheduler"),
        ("\xff", "1:1", "UTF-8"),
    ],
)
def test_single_faults(base: Path, place: Path, text: str, place_: str, message: str) -> None:
    file = place / "config.toml"
    file.write_bytes(text.encode("latin-1"))
    lines = refuse(base, file)
    assert lines[0].startswith(f"{file}:{place_}"), lines
    assert message in lines[0]


def test_what_containerds_own_tables_may_say_wrongly(base: Path, place: Path) -> None:
    file, newer = place / "config.toml", place / "newer.toml"
    newer.write_text("version = 4\n")
    file.write_text(
        "version = 2\n"
        'imports = ["newer.toml"]\n'
        'required_plugins = ["io.containerd.grpc.v1.cri"]\n'
        "[cgroup]\n"
        'path = "/a/../../b"\n'
        "[stream_processors.turn]\n"
        'accepts = "x"\n'
        "args = [1]\n"
        "[timeouts]\n"
        '"io.containerd.timeout.shim.load" = "soon"\n'
        '[plugins."io.containerd.metadata.v1.bolt"]\n'
        'content_sharing_policy = "mine"\n'
        "[grpc]\n"
        "max_recv_message_size = [3]\n"
    )
    lines = refuse(base, file)
    expected = [
        (f"{newer}:1:1: ", "version: drop-in of version 4 higher than 2"),
        (f"{file}:3:21: ", 'required plugin "io.containerd.grpc.v1.cri": containerd\'s, not part of moorage: '),
        (f"{file}:5:1: ", "cgroup.path: must be a path without .."),
        (f"{file}:7:1: ", "stream_processors.turn.accepts: expected array, got string"),
        (f"{file}:8:9: ", "stream_processors.turn.args[0]: expected string, got integer"),
        (f"{file}:10:1: ", 'timeouts."io.containerd.timeout.shim.load": '),
        (f"{file}:12:1: ", "content_sharing_policy: expected one of"),
        (f"{file}:14:1: ", 'plugins."io.containerd.server.v1.grpc".max_recv_message_size: expected integer, got array'),
    ]
    for place_, message in expected:
        assert any(line.startswith(place_) and message in line for line in lines), (place_, message, lines)
    assert len(lines) == len(expected) + 1


def test_a_file_of_the_first_version_is_understood(base: Path) -> None:
    config = (
        'oom_score = 0\nplugin_dir = "/x"\ndisabled_plugins = ["cri", "aufs"]\n'
        "[plugins.scheduler]\nmutation_threshold = 7\n"
        '[plugins.bolt]\ncontent_sharing_policy = "isolated"\n'
        '[plugins."diff-service"]\ndefault = ["walking"]\n'
        '[plugins.linux]\nshim = "containerd-shim"\n'
        "[plugins.odd]\na = 1\n"
        "[metrics]\ngrpc_histogram = false\n"
    )
    with Daemon(moorage(config), base) as daemon:
        log = daemon.tail(20_000)
        command = [*daemon.program.command, "--config", str(daemon.config), "config", "dump"]
        dumped = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    plugins = tomllib.loads(dumped)["plugins"]
    assert plugins["io.containerd.gc.v1.scheduler"]["mutation_threshold"] == 7
    assert plugins["io.containerd.metadata.v1.lmdb"]["content_sharing_policy"] == "isolated"
    assert plugins["io.containerd.grpc.v1.diff"]["default"] == ["walking"]
    told = [line for line in log.splitlines() if "level=warning" in line and "config.toml" in line]
    for place_, subject in (
        (2, "plugin_dir"),
        (3, "grpc.v1.cri"),
        (3, "aufs"),
        (10, "runtime.v1.linux"),
        (12, "grpc.v1.odd"),
    ):
        assert len([line for line in told if f"config.toml:{place_}:" in line and subject in line]) == 1, (
            subject,
            told,
        )
    assert len(told) == 5


def test_the_daemon_runs_in_the_control_group_that_it_is_told(base: Path) -> None:
    if not Path("/sys/fs/cgroup").is_dir() or not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("no control groups can be made here")
    group = f"/moorage-faults-{os.getpid()}"
    try:
        with Daemon(moorage(f'version = 4\n[cgroup]\npath = "{group}/daemon"\n'), base) as daemon:
            groups = Path(f"/proc/{daemon.pid}/cgroup").read_text()
            assert f":{group}/daemon\n" in groups
    finally:
        for place_ in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
            for folder in (Path(f"{place_}{group}/daemon"), Path(f"{place_}{group}")):
                if folder.is_dir():
                    folder.rmdir()


def test_a_control_group_that_cannot_be_is_the_end_and_leaves_no_trace(base: Path, place: Path) -> None:
    file = place / "config.toml"
    file.write_text('version = 4\n[cgroup]\npath = "/cgroup.procs/x"\n')
    lines = refuse(base, file)
    assert re.search(r'cgroup ".*/cgroup\.procs/x": .* \(let the daemon\'s user write there', lines[0]), lines


def test_a_file_that_is_asked_for_and_absent(base: Path, place: Path) -> None:
    assert refuse(base, place / "absent.toml")[0] == f'configuration "{place}/absent.toml": No such file or directory'


def test_unknown_names_are_warnings_with_a_guess(base: Path) -> None:
    """containerd ignores them; so must we, or its files would not do. A typo is told all the same."""
    config = (
        "version = 4\n"
        'disabled_plugins = ["io.containerd.snapshotter.v1.overlay"]\n'
        f'[plugins."{OVERLAYFS}"]\nroot_pth = "/x"\n'
    )
    with Daemon(moorage(config), base) as daemon:
        log = daemon.log.read_text()
    warnings = [line for line in log.splitlines() if "level=warning" in line]
    typo = next(line for line in warnings if ":2:" in line)
    assert "no such plugin is installed" in typo and OVERLAYFS in typo
    assert any(":4:" in line and "root_pth" in line and "root_path" in line for line in warnings), warnings


def test_a_required_plugin_that_cannot_be_is_the_end(base: Path) -> None:
    config = 'version = 4\nrequired_plugins = ["io.containerd.server.v1.grpc-tcp"]\n'
    daemon = Daemon(moorage(config), base)
    process = daemon.spawn()
    assert process.wait(60) == 1
    assert 'required plugin "io.containerd.server.v1.grpc-tcp": skip: no address is set' in daemon.tail()


def test_a_daemon_says_which_directory_it_cannot_use(base: Path) -> None:
    (base / "root").write_text("a file")
    daemon = Daemon(Program(moorage().command), base)
    process = daemon.spawn()
    assert process.wait(60) == 1
    assert f'directory "{base}/root": a file is in its place (move it away' in daemon.tail()
    assert (base / "root").read_text() == "a file"
