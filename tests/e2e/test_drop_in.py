"""In containerd's place: its name, its configuration file as Debian ships it, and the verbs that others call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

WARNING = re.compile(r'level=warning msg="?(.*?)"? *$', re.MULTILINE)
ABSENT = {
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.grpc.v1.cri",
    "io.containerd.image-verifier.v1.bindir",
    "io.containerd.internal.v1.opt",
    "io.containerd.nri.v1.nri",
    "io.containerd.runtime.v1.linux",
}
"""Plugins whose tables stand in containerd's default file, and which are not here."""


@pytest.fixture
def name(tmp_path: Path) -> str:
    """Our daemon under the name ``containerd``: a link to its console script."""
    script = shutil.which("mooraged", path=Path(sys.executable).parent)
    if not script:
        pytest.skip("the console script is not installed beside the interpreter")
    link = tmp_path / "bin" / "containerd"
    link.parent.mkdir()
    link.symlink_to(script)
    return str(link)


@pytest.fixture
def base() -> Iterator[Path]:
    if os.geteuid():
        pytest.skip("needs root to run a daemon")
    with daemons.directory() as base:
        yield base


def said(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload, no-any-return]


def default(program: str) -> str:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = said(program, "config", "default")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=["default", "migrated"])
def theirs(request: pytest.FixtureRequest) -> str:
    """containerd's own default file, as it is and as it leaves it after its own migration."""
    program = os.environ.get("MOORAGE_CONTAINERD") or "containerd"
    text = default(program)
    if request.param == "default":
        return text
    with daemons.directory() as place:
        file = place / "config.toml"
        file.write_text(text)
        done = said(program, "-c", str(file), "config", "migrate")
        if done.returncode:
            pytest.skip("this containerd does not migrate")
        return done.stdout


def test_containerds_default_file_starts_us_with_nothing_but_a_word_on_what_is_not_here(
    base: Path, theirs: str
) -> None:
    with Daemon(daemons.moorage(theirs), base) as daemon:
        assert "Server:" in daemon.ctr("version").stdout
        statuses = daemon.ctr("plugins", "ls").stdout
    assert not re.search(r"\berror\b", statuses), statuses
    for warning in WARNING.findall(daemon.log.read_text()):
        if "config.toml:" not in warning:
            continue
        assert "containerd's, not part of moorage: " in warning, warning
        uri = re.search(r'plugins\.\\?"([^"\\]+)', warning)
        assert (uri and uri[1] in ABSENT) or "timeouts." in warning or ".transfer.v1.local" in warning, warning


def test_a_migrated_file_means_the_same_to_both(theirs: str, tmp_path: Path) -> None:
    """What we make of containerd's file is read by it, with the values that it had; and by us, to the same file."""
    ours, again = tmp_path / "ours.toml", tmp_path / "again.toml"
    (tmp_path / "theirs.toml").write_text(theirs)
    command = [sys.executable, "-m", "moorage_core", "-c"]
    done = said(*command, str(tmp_path / "theirs.toml"), "config", "migrate")
    assert done.returncode == 0, done.stderr
    ours.write_text(done.stdout)
    once_more = said(*command, str(ours), "config", "migrate")
    again.write_text(once_more.stdout)
    assert once_more.stdout == done.stdout
    table, before = tomllib.loads(done.stdout), tomllib.loads(theirs)
    assert table["version"] == 4
    assert table["stream_processors"] == before["stream_processors"]
    for name in ("io.containerd.gc.v1.scheduler", "io.containerd.snapshotter.v1.native"):
        assert before["plugins"][name].items() <= table["plugins"][name].items()
    assert before["timeouts"].items() <= table["timeouts"].items()


FILES = {
    "config.toml": """
version = 3
imports = ["conf.d/*.toml", "last.toml"]
oom_score = 5
disabled_plugins = ["io.containerd.a.v1.x"]
[debug]
level = "debug"
[grpc]
address = "/run/one.sock"
gid = 7
[timeouts]
"io.containerd.timeout.shim.load" = "9s"
[stream_processors."turn"]
accepts = ["a"]
path = "/turn"
args = ["-x"]
[plugins."io.containerd.snapshotter.v1.overlayfs"]
mount_options = ["index=off"]
root_path = "/overlay"
upperdir_label = true
[plugins."io.containerd.gc.v1.scheduler"]
mutation_threshold = 3
""",
    "conf.d/a.toml": """
version = 2
oom_score = 0
disabled_plugins = ["io.containerd.b.v1.y", "io.containerd.a.v1.x"]
[debug]
level = ""
format = "json"
[timeouts]
"io.containerd.timeout.task.state" = "8s"
[stream_processors."turn"]
returns = "b"
[plugins."io.containerd.snapshotter.v1.overlayfs"]
mount_options = ["volatile"]
upperdir_label = false
""",
    "conf.d/b.toml": """
[plugins.scheduler]
deletion_threshold = 4
[ttrpc]
uid = 8
[grpc]
address = "/run/two.sock"
""",
    "last.toml": """
version = 3
imports = ["config.toml"]
oom_score = -3
disabled_plugins = []
[plugins."io.containerd.gc.v1.scheduler"]
mutation_threshold = 0
""",
}
"""Drop-ins in directories, one that imports its importer, older versions, lists, empty values, whole entries."""


@pytest.mark.parametrize("theirs_", [False, True], ids=["mooraged", "containerd"])
def test_files_override_each_other_as_containerds_do(tmp_path: Path, theirs_: bool) -> None:
    program = [sys.executable, "-m", "moorage_core"]
    if theirs_:
        program = [os.environ.get("MOORAGE_CONTAINERD") or "containerd"]
        if tomllib.loads(default(program[0]))["version"] < 4:
            pytest.skip("containerd before 2.3 merges in other ways")
    (tmp_path / "conf.d").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = said(*program, "--config", str(tmp_path / "config.toml"), "config", "dump")
    assert done.returncode == 0, done.stderr
    table = tomllib.loads(done.stdout)
    assert (table["version"], table["oom_score"]) == (4, -3)
    assert table["disabled_plugins"] == ["io.containerd.a.v1.x", "io.containerd.b.v1.y"]
    assert (table["debug"]["level"], table["debug"]["format"]) == ("debug", "json")
    assert table["timeouts"]["io.containerd.timeout.shim.load"] == "9s"
    assert table["timeouts"]["io.containerd.timeout.task.state"] == "8s"
    assert table["stream_processors"]["turn"] == {"accepts": [], "returns": "b", "path": "", "args": [], "env": []}
    assert "io.containerd.ocicrypt.decoder.v1.tar" in table["stream_processors"]
    plugins = table["plugins"]
    overlay = plugins["io.containerd.snapshotter.v1.overlayfs"]
    assert (overlay["mount_options"], overlay["root_path"]) == (["volatile"], "/overlay")
    assert overlay["upperdir_label"] is False
    scheduler = plugins["io.containerd.gc.v1.scheduler"]
    assert (scheduler["mutation_threshold"], scheduler["deletion_threshold"]) == (0, 4)
    grpc, ttrpc = plugins["io.containerd.server.v1.grpc"], plugins["io.containerd.server.v1.ttrpc"]
    assert (grpc["address"], grpc["uid"], grpc["gid"]) == ("/run/two.sock", os.geteuid(), os.getegid())
    assert (ttrpc["address"], ttrpc["uid"], ttrpc["gid"]) == ("/run/two.sock.ttrpc", 8, os.getegid())


@pytest.mark.parametrize("theirs_", [False, True], ids=["mooraged", "containerd"])
@pytest.mark.parametrize("text", ["version = 5\n", 'version = 2\ndisabled_plugins = ["cri"]\n', "x = [\n"])
def test_files_that_both_refuse(tmp_path: Path, text: str, theirs_: bool) -> None:
    program = (os.environ.get("MOORAGE_CONTAINERD") or "containerd") if theirs_ else sys.executable
    if theirs_ and tomllib.loads(default(program))["version"] < 4 and "5" in text:
        pytest.skip("containerd before 2.0 prints it all the same")
    file = tmp_path / "config.toml"
    file.write_text(text)
    verbs = [program, *([] if theirs_ else ["-m", "moorage_core"]), "-c", str(file), "config"]
    for verb in ("dump",) if theirs_ else ("dump", "migrate", "check"):
        done = said(*verbs, verb)
        assert (done.returncode, done.stdout) == (1, "")
        said_ = done.stderr.splitlines()
        assert said_[-1].startswith("containerd: ") if theirs_ else said_[0].startswith(f"mooraged: {file}:")


def test_the_name_makes_it_containerd(name: str) -> None:
    assert re.match(r"containerd github\.com/containerd/containerd v\d+\.\d+\.\d+", said(name, "--version").stdout)
    assert said(name, "-v").stdout == said(name, "--version").stdout
    table = tomllib.loads(said(name, "config", "default").stdout)
    assert (table["version"], table["root"], table["state"]) == (4, "/var/lib/containerd", "/run/containerd")
    assert table["imports"] == ["/etc/containerd/conf.d/*.toml"]
    refused = said(name, "--config", "/no/such", "--log-level", "debug")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert 'containerd: configuration "/no/such": No such file or directory' in refused.stderr


def test_it_serves_as_dockers_engine_starts_it(name: str, base: Path) -> None:
    """A file of version 2 and two flags, as ``libcontainerd/supervisor`` of moby writes and gives them."""
    file = base / "containerd.toml"
    file.write_text(f"""
version = 2
root = "{base}/root"
state = "{base}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
imports = []
required_plugins = []
oom_score = 0
temp = ""

[cgroup]
  path = ""

[debug]
  address = "{base}/debug.sock"
  format = ""
  gid = 0
  level = "debug"
  uid = 0

[grpc]
  address = "{base}/containerd.sock"
  gid = 0
  max_recv_message_size = 16777216
  max_send_message_size = 16777216
  uid = 0

[metrics]
  address = ""
  grpc_histogram = false

[plugins]

[proxy_plugins]

[stream_processors]

[timeouts]

[ttrpc]
  address = ""
  gid = 0
  uid = 0
""")
    with open(base / "log", "wb") as log:
        process = subprocess.Popen([name, "--config", str(file), "--log-level", "debug"], stdout=log, stderr=log)
    try:
        daemons.wait_until(lambda: daemons.answers(f"{base}/containerd.sock") or process.poll() is not None, 60)
        assert process.poll() is None, (base / "log").read_text()
        assert Path(f"/proc/{process.pid}/comm").read_text() == "containerd\n"
        assert (base / "containerd.sock.ttrpc").is_socket()
        assert (base / "containerd.sock").stat().st_mode & 0o777 == 0o660
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    text = (base / "log").read_text()
    assert "containerd successfully booted in" in text
    assert len([line for line in text.splitlines() if "not part of moorage" in line]) == 2  # CRI and the debug socket


@pytest.mark.parametrize("theirs_", [False, True], ids=["mooraged", "containerd"])
def test_an_event_published_by_the_binary_is_heard(base: Path, theirs_: bool) -> None:
    """Also by containerd's own binary, as shims of its first versions call it."""
    program = ["containerd"] if theirs_ else [sys.executable, "-m", "moorage_core"]
    if theirs_ and not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    event = AnyMessage(type_url="containerd.events.TaskOOM", value=b"\x0a\x03web").SerializeToString()
    with Daemon(daemons.moorage(), base) as daemon:
        listening = subprocess.Popen(["ctr", "-a", daemon.address, "events"], stdout=subprocess.PIPE, text=True)
        assert listening.stdout
        heard: list[str] = []
        reader = threading.Thread(target=lambda: heard.extend(iter(listening.stdout.readline, "")), daemon=True)
        reader.start()

        def publish(*words: str, data: bytes = event) -> subprocess.CompletedProcess[bytes]:
            command = [*program, "--address", daemon.address, "publish", *words]
            return subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)

        def arrived() -> bool:
            done = publish("--namespace", "drop-in", "--topic", "/tasks/oom")
            assert (done.returncode, done.stdout) == (0, b""), done.stderr
            return bool(heard)

        try:
            daemons.wait_until(arrived, 30)
            assert " drop-in /tasks/oom " in heard[0]
            assert json.loads(heard[0][heard[0].index("{") :]) == {"container_id": "web"}
            for words, message in (
                (["--namespace", "drop-in"], b"topic required to publish event"),
                (["--topic", "/tasks/oom"], b"namespace"),
                (["--namespace", "drop-in", "--topic", "no/slash"], b"topic"),
            ):
                refused = publish(*words)
                assert refused.returncode == 1
                assert message in refused.stderr
            assert publish("--namespace", "n", "--topic", "/x", data=b"\x0a\xff").returncode == 1
        finally:
            listening.terminate()
            listening.wait(10)
            reader.join(10)
            listening.stdout.close()


@pytest.mark.parametrize(
    "word", ['{{annotation "a"}}-{{id}}', "{{ pid }}{{status}}", "{{rootfs}} {{- bundle}}", "{{`x`}}", "x"]
)
def test_a_hook_sees_what_it_would_see_of_containerd(tmp_path: Path, word: str) -> None:
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    (tmp_path / "config.json").write_text('{"root": {"path": "rootfs"}}')
    state = json.dumps(
        {"id": "web", "pid": 7, "status": "created", "bundle": str(tmp_path), "annotations": {"a": "b c"}}
    )
    answers = [
        said(*program, "oci-hook", "--", "/bin/echo", word, input=state)
        for program in (["containerd"], [sys.executable, "-m", "moorage_core"])
    ]
    assert answers[0].stdout == answers[1].stdout, answers
    assert {answer.returncode for answer in answers} == {0}


@pytest.mark.parametrize("words", [["--", "/bin/echo", "{{nosuch}}"], ["--", "/no/such"], ["--", "/bin/echo", "{{"]])
def test_a_hook_that_cannot_be_fails_at_both(tmp_path: Path, words: list[str]) -> None:
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    (tmp_path / "config.json").write_text('{"root": {"path": "rootfs"}}')
    state = json.dumps({"id": "web", "bundle": str(tmp_path)})
    for program in (["containerd"], [sys.executable, "-m", "moorage_core"]):
        done = said(*program, "oci-hook", *words, input=state)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr
