"""Debian's ``ctr`` against both daemons: same exit codes, same output but for times, ids and pids."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import images, registries
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry

BUSYBOX = "docker.io/library/busybox:latest"
ID, OURS, THEIRS = "<id>", f"ours-{os.getpid()}", f"them-{os.getpid()}"
"""Containers of one name would meet in runc's state directory and in the cgroup tree, which both daemons share."""

Same = Callable[..., subprocess.CompletedProcess[str]]

_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+ ?(Z|[+-]\d\d:?\d\d)?( UTC)?( m=\S+)?"), "<time>"),
    (re.compile(r"\b\d+(\.\d+)?(ns|µs|ms|s)\b"), "<duration>"),
    (re.compile(r"\b([\d.]+ (seconds?|minutes?)|Less than a second|About a minute)( ago)?"), "<duration>"),
    (re.compile(r"[\d.]+ [KM]iB/s"), "<rate>"),
    (re.compile(r"\(\d+(\.\d+)? [KMG]?i?B/s\)"), "<rate>"),
)


def steady(text: str) -> str:
    """Output without what differs from run to run; runs of blanks are one, for columns follow their content."""
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, namespace: str) -> None:
    """``ctr`` works in the namespace of this run, out of the way of other daemons on this machine."""
    monkeypatch.setenv("CONTAINERD_NAMESPACE", namespace)


@pytest.fixture
def same(pair: Any) -> Same:
    """Run ``ctr`` against both and compare; what ours said. ``clean`` takes out more, ``compare`` off runs only."""

    def run(
        *words: str, compare: bool = True, clean: Callable[[str], str] = lambda text: text, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        theirs = pair.theirs.ctr(*(word.replace(ID, THEIRS) for word in words), check=False)
        ours = pair.ours.ctr(*(word.replace(ID, OURS) for word in words), check=False)
        assert ours.returncode == theirs.returncode, f"ours: {ours.stderr}\ntheirs: {theirs.stderr}"
        assert code is None or ours.returncode == code, ours.stderr
        if compare:
            assert clean(steady(ours.stdout).replace(OURS, ID)) == clean(steady(theirs.stdout).replace(THEIRS, ID))
        return ours

    return run


@pytest.fixture
def clear(pair: Any) -> Iterator[None]:
    """No containers, tasks and snapshots of theirs before and after."""
    yield
    for daemon in (pair.ours, pair.theirs):
        for id in daemon.ctr("containers", "ls", "-q").stdout.split():
            daemon.ctr("tasks", "kill", "-s", "KILL", id, check=False)
            daemon.ctr("tasks", "rm", "-f", id, check=False)
            daemon.ctr("containers", "rm", id, check=False)
            daemon.ctr("snapshots", "rm", id, check=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if not registries.available():
        pytest.skip("needs docker-registry, skopeo and openssl")
    layout = Layout(tmp_path_factory.mktemp("layout"))
    layout.tag("layered", images.layered(layout))
    layout.tag("multi", images.multi_platform(layout))
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag in layout.tags:
            images.push(layout, tag, f"{registry.address}/test/{tag}:latest")
        yield registry


def states(text: str) -> str:
    """``ctr tasks ls`` without pids."""
    return re.sub(r"\b\d+\b", "<pid>", text)


def lines(text: str) -> str:
    """Lines, and labels in them, in an order of their own: layers arrive in any, and Go's maps have none."""
    return "\n".join(
        sorted(" ".join(",".join(sorted(word.split(","))) for word in line.split()) for line in text.splitlines())
    )


def test_run_and_remove(same: Same, clear: None) -> None:
    assert same("run", "--rm", BUSYBOX, ID, "echo", "hello").stdout == "hello\n"
    same("run", "--rm", BUSYBOX, ID, "sh", "-c", "exit 7", code=7)
    same("run", "--rm", "--env", "A=b", "--cwd", "/tmp", BUSYBOX, ID, "sh", "-c", "echo $A; pwd; id; ulimit -n")
    same("containers", "ls", "-q")
    same("snapshots", "ls")


def test_what_cannot_run(same: Same, clear: None) -> None:
    same("run", "--rm", BUSYBOX, ID, "nonsense", code=1)
    same("containers", "rm", ID, code=None)
    same("snapshots", "rm", ID, code=None)
    same("run", "--rm", "docker.io/library/none:1", ID, "true", code=1)
    same("run", "--rm", BUSYBOX, "no/id", "true", code=1)


SAY = "echo out; echo err >&2"

LOGGER = """#!/bin/sh
echo "$CONTAINER_NAMESPACE $CONTAINER_ID: $*:" > $0.told
ls /proc/$$/fd >> $0.told
exec 5>&-
cat <&3 > $0.out 3<&- 4<&- &
cat <&4 > $0.err 3<&- 4<&- &
wait
"""


def test_logs(same: Same, clear: None, tmp_path: Path) -> None:
    """Into a file, and to a program, which gets the same environment, arguments and descriptors."""
    same("run", "-d", "--log-uri", f"file://{tmp_path}/new/{ID}", BUSYBOX, ID, "sh", "-c", SAY)
    files = [tmp_path / "new" / name for name in (OURS, THEIRS)]
    wait_until(lambda: all(file.exists() and len(file.read_text()) == 8 for file in files))
    assert {"".join(sorted(file.read_text().splitlines())) for file in files} == {"errout"}
    same("tasks", "rm", ID, code=None)
    same("containers", "rm", ID)
    programs = [tmp_path / f"logger-{name}" for name in (OURS, THEIRS)]
    for program in programs:
        program.write_text(LOGGER)
        program.chmod(0o755)
    uri = f"binary://{tmp_path}/logger-{ID}?b=2&a=x%20y"
    same("run", "-d", "--log-uri", uri, BUSYBOX, ID, "sh", "-c", SAY)
    for name, text in (("out", "out\n"), ("err", "err\n")):
        paths = [program.with_suffix(f".{name}") for program in programs]
        wait_until(lambda paths=paths, text=text: all(path.exists() and path.read_text() == text for path in paths))
    told = [program.with_suffix(".told").read_text().replace(OURS, ID).replace(THEIRS, ID) for program in programs]
    assert told[0] == told[1] and f" {ID}: b 2 a x y:\n0\n" in told[0]


@pytest.mark.full
def test_what_an_exec_leaves_in_the_background_is_not_waited_for(same: Same, clear: None) -> None:
    """ctr waits for the end of the FIFO after the exec is deleted; both daemons bring it about after some seconds."""
    same("run", "-d", "--null-io", BUSYBOX, ID, "sleep", "1000")
    script = "echo begun; sleep 1000 &"
    assert same("tasks", "exec", "--exec-id", "e", ID, "sh", "-c", script).stdout == "begun\n"


def test_the_container_looks_the_same_from_inside(same: Same, clear: None) -> None:
    script = (
        "cut -d' ' -f2-3 /proc/mounts; grep -E 'Cap|NoNewPrivs|Seccomp' /proc/self/status; ls /dev; ls /proc/self/fd"
    )
    same("run", "--rm", BUSYBOX, ID, "sh", "-c", script)


def test_a_life_in_the_background(same: Same, clear: None) -> None:
    same("run", "-d", BUSYBOX, ID, "sleep", "1000")
    assert "RUNNING" in same("tasks", "ls", clean=states).stdout
    same("containers", "ls")
    same("run", "-d", BUSYBOX, ID, "true", code=1)
    assert same("tasks", "exec", "--exec-id", "e1", ID, "echo", "inside").stdout == "inside\n"
    same("tasks", "exec", "--exec-id", "e1", ID, "sh", "-c", "exit 5", code=5)
    said = same("tasks", "exec", "--exec-id", "e2", ID, "nonsense", code=1).stderr
    assert said.count("executable file not found") == 1  # by ctr, and not also by the runtime through the FIFO
    same("tasks", "pause", ID)
    assert "PAUSED" in same("tasks", "ls", clean=states).stdout
    same("tasks", "resume", ID)
    assert "RUNNING" in same("tasks", "ls", clean=states).stdout
    same("tasks", "ps", ID, clean=states)
    same("tasks", "metrics", ID, compare=False)
    same("containers", "rm", ID, code=None)
    same("tasks", "rm", ID, code=None)


def test_killing_and_what_is_left(same: Same, pair: Any, clear: None) -> None:
    same("run", "-d", BUSYBOX, ID, "sleep", "1000")
    same("tasks", "kill", "-s", "SIGKILL", ID)
    for daemon in (pair.ours, pair.theirs):
        wait_until(lambda daemon=daemon: "STOPPED" in daemon.ctr("tasks", "ls").stdout)
    same("tasks", "ls", clean=states)
    same("tasks", "kill", ID, code=1)
    same("tasks", "rm", ID)
    same("tasks", "rm", ID, code=1)
    same("containers", "rm", ID)
    same("containers", "ls")


def test_created_and_started_later(same: Same, clear: None) -> None:
    same("containers", "create", BUSYBOX, ID, "false")
    same("containers", "create", BUSYBOX, ID, "true", code=1)
    same("tasks", "start", ID, code=1)
    same("containers", "label", ID, "a=b", "x.y/z=1", clean=lines)
    same("containers", "ls", "-q")
    same("containers", "rm", ID)
    same("containers", "rm", ID, code=1)


def test_images(same: Same, pair: Any, registry: Registry) -> None:
    reference = f"{registry.address}/test/layered:latest"
    same("images", "pull", "--plain-http", reference, compare=False)
    same("images", "pull", "--plain-http", f"{registry.address}/test/none:latest", compare=False, code=1)
    same("images", "ls")
    same("images", "ls", "-q")
    same("images", "check")
    same("images", "tag", reference, "docker.io/test/tagged:1")
    same("images", "tag", reference, "docker.io/test/tagged:1", code=1)
    same("images", "label", reference, "own=1", clean=lines)
    same("images", "rm", "docker.io/test/tagged:1")
    same("images", "rm", "docker.io/test/tagged:1", code=None)
    same("content", "ls", clean=lines)
    same("snapshots", "tree")
    same("images", "rm", "--sync", reference)
    same("content", "ls", clean=lines)


def test_one_platform_of_an_index(same: Same, registry: Registry) -> None:
    reference = f"{registry.address}/test/multi:latest"
    same("images", "pull", "--plain-http", "--platform", "linux/arm64", reference, compare=False)
    same("images", "ls")
    same("content", "ls", clean=lines)
    same("images", "rm", "--sync", reference)


def test_export_and_import(same: Same, pair: Any, tmp_path: Any) -> None:
    for daemon in (pair.ours, pair.theirs):
        path = str(tmp_path / f"{daemon.pid}.tar")
        daemon.ctr("images", "export", path, BUSYBOX)
        daemon.ctr("-n", "other", "images", "import", path)
        daemon.ctr("-n", "other", "images", "rm", "--sync", BUSYBOX)
    same("-n", "other", "images", "ls", "-q")


def test_content(same: Same, pair: Any, tmp_path: Any) -> None:
    (tmp_path / "blob").write_bytes(b"some bytes")
    for daemon in (pair.ours, pair.theirs):
        with open(tmp_path / "blob", "rb") as data:
            words = ["ctr", "-a", daemon.address, "content", "ingest", "ref"]
            subprocess.run(words, stdin=data, check=True, capture_output=True, timeout=60)
    listed = same("content", "ls", "-q", clean=lines).stdout.split()
    own = next(each for each in listed if same("content", "get", each, compare=False).stdout == "some bytes")
    same("content", "label", own, "a=b", clean=lines)
    same("content", "ls", clean=lines)
    same("content", "active")
    same("content", "rm", own)
    same("content", "get", own, code=1)
    same("content", "get", "sha256:short", code=1)


def test_snapshots(same: Same) -> None:
    same("snapshots", "prepare", "first")
    same("snapshots", "prepare", "first", code=1)
    same("snapshots", "commit", "base", "first")
    same("snapshots", "prepare", "second", "base")
    same("snapshots", "ls")
    same("snapshots", "tree")
    same("snapshots", "info", "base")
    same("snapshots", "usage", clean=lambda text: re.sub(r"[\d.]+ [KM]?i?B", "<size>", text))
    same("snapshots", "label", "base", "a=b", clean=lines)
    same("snapshots", "rm", "base", code=1)
    same("snapshots", "prepare", "third", "none", code=1)
    same("snapshots", "--snapshotter", "none", "ls", code=1)
    same("snapshots", "rm", "second")
    same("snapshots", "rm", "base")
    same("snapshots", "rm", "base", code=1)


def test_namespaces(same: Same) -> None:
    same("namespaces", "create", "made", "a=b")
    same("namespaces", "create", "made", code=1)
    same("namespaces", "create", "no/name", code=1)
    same("namespaces", "ls", "-q")
    same("namespaces", "label", "made", "a=", "c=d")
    same("namespaces", "ls")
    same("namespaces", "rm", "made")
    same("namespaces", "rm", "made", code=None)
    same("namespaces", "rm", "default", code=1)
    same("-n", "nowhere", "containers", "ls")


def test_leases(same: Same) -> None:
    same("leases", "create", "--id", "kept", "a=b")
    same("leases", "create", "--id", "kept", code=1)
    same("leases", "ls")
    same("leases", "ls", "-q")
    same("leases", "rm", "--sync", "kept")
    same("leases", "rm", "kept", code=1)


def test_plugins_and_versions(pair: Any) -> None:
    """Which plugins there are differs; how they are listed does not."""
    for daemon in (pair.ours, pair.theirs):
        rows = [line.split() for line in daemon.ctr("plugins", "ls").stdout.splitlines()]
        assert rows[0] == ["TYPE", "ID", "PLATFORMS", "STATUS"]
        found = {(row[0], row[1]): row[-1] for row in rows[1:]}
        for expected in (
            ("io.containerd.content.v1", "content"),
            ("io.containerd.snapshotter.v1", "overlayfs"),
            ("io.containerd.differ.v1", "walking"),
            ("io.containerd.runtime.v2", "task"),
            ("io.containerd.grpc.v1", "tasks"),
        ):
            assert found[expected] == "ok"
        assert "Server:" in daemon.ctr("version").stdout


def test_events(pair: Any, clear: None) -> None:
    """The same topics in the same order for the same container."""
    assert _topics(pair.ours) == _topics(pair.theirs)


_EVENTED = f"evented-{os.getpid()}"


def _topics(daemon: Daemon) -> list[str]:
    words = ["ctr", "-a", daemon.address, "events"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            seen: list[str] = []
            for number in range(50):  # a subscription gives no receipt: make events until the first arrives
                daemon.ctr("namespaces", "create", f"probe{number}")
                daemon.ctr("namespaces", "rm", f"probe{number}")
                if _readable(process):
                    break
            daemon.ctr("run", "--rm", BUSYBOX, _EVENTED, "true")
            daemon.ctr("namespaces", "create", "last")
            daemon.ctr("namespaces", "rm", "last")
            while not any("/namespaces/delete" in line and "last" in line for line in seen):
                line = process.stdout.readline()
                assert line, "the events ended"
                seen.append(line)
        finally:
            process.terminate()
    found = [re.search(r" (/[a-z-]+/[a-z-]+) ", line) for line in seen if _EVENTED in line]
    return [match[1] for match in found if match]


def _readable(process: subprocess.Popen[str]) -> bool:
    import select

    return bool(select.select([process.stdout], [], [], 0.1)[0])
