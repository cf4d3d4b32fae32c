"""The shim as a program."""

import json
import os
import select
import subprocess
from pathlib import Path

import pytest

from moorage_api import methods
from moorage_api.messages import shim_v3
from moorage_testkit import programs
from moorage_testkit.fakes.shims import NAMESPACE, SANDBOX
from moorage_ttrpc import blocking, sockets


def run(shim: Path, *words: str) -> bytes:
    flags = ["-namespace", "ns", "-address", "/x", "-publish-binary", "/y", "-id", "pod"]
    return subprocess.run([shim, *flags, *words], check=True, capture_output=True, timeout=30).stdout


def ask(socket: str, method: str) -> None:
    request = methods.service(SANDBOX).methods[method].request(sandbox_id="pod").SerializeToString()
    blocking.call(Path(socket), SANDBOX, method, request, [(NAMESPACE, "ns")], 10)


def test_it_follows_the_contract(tmp_path: Path) -> None:
    shim = programs.shim(tmp_path)
    said = json.loads(run(shim, "start"))
    assert (said["version"], said["protocol"]) == (3, "ttrpc")
    socket = said["address"].removeprefix("unix://")
    pid = int((tmp_path / "pid-pod").read_text())
    os.kill(pid, 0)
    ask(socket, "CreateSandbox")
    ask(socket, "StartSandbox")
    assert shim_v3.DeleteResponse.FromString(run(shim, "-bundle", "/b", "delete")).exit_status == 137
    assert (tmp_path / "calls").read_text() == "start pod\nserve pod\ndelete pod\n"
    ended = os.pidfd_open(pid)
    ask(socket, "ShutdownSandbox")
    assert select.select([ended], [], [], 10)[0], "it ends with its sandbox"
    os.close(ended)


def test_it_says_what_it_is(tmp_path: Path) -> None:
    said = subprocess.run([programs.shim(tmp_path), "-v"], check=True, capture_output=True, text=True).stdout
    assert said == f"{programs.SHIM}: Version: 1.0.0\n"
    assert not sockets.alive(tmp_path / "none")


def test_it_can_be_killed(tmp_path: Path) -> None:
    run(programs.shim(tmp_path), "start")
    ended = os.pidfd_open(int((tmp_path / "pid-pod").read_text()))
    programs.kill(tmp_path, "pod")
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
    (tmp_path / "pid-pod").write_text(str(os.getpid()))
    with pytest.raises(ProcessLookupError):
        programs.kill(tmp_path, "pod")
