"""The program by its contract; what a daemon makes of it is said by the tests of faults."""

import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from moorage_api import methods
from moorage_api.messages import runtime_options, shim_v3
from moorage_sdk import errors
from moorage_testkit import leftovers
from moorage_testkit.katas import SANDBOX_ID, TYPE, Kata
from moorage_ttrpc import blocking

NAMESPACE = ("containerd-namespace-ttrpc", "ns")
TASK = "containerd.task.v2.Task"

Run = Callable[..., bytes]


@pytest.fixture
def kata(tmp_path: Path) -> Iterator[Kata]:
    folder = tmp_path / "kata"
    folder.mkdir()
    kata = Kata(folder)
    yield kata
    for file in [*folder.glob("shim-*"), *folder.glob("machine-*")]:
        if leftovers.runs(pid := int(file.read_text())):
            os.kill(pid, 9)


@pytest.fixture
def run(tmp_path: Path, kata: Kata) -> Iterator[Run]:
    """Calls the program for a container, in its bundle, whose log is read."""
    fds = []

    def call(id: str, action: str, args: str = "sleep 1", **annotations: str) -> bytes:
        bundle = tmp_path / id
        if not bundle.exists():
            bundle.mkdir()
            os.mkfifo(bundle / "log")
            fds.append(os.open(bundle / "log", os.O_RDWR))
            spec = {"process": {"args": ["sh", "-c", args]}, "annotations": annotations}
            (bundle / "config.json").write_text(json.dumps(spec))
        told = runtime_options.Options(config_path="/etc/kata.toml")
        options = AnyMessage(type_url="runtimeoptions.v1.Options", value=told.SerializeToString())
        flags = ["-namespace", "ns", "-address", "/x", "-publish-binary", "/y", "-id", id, action]
        env = {**os.environ, "TTRPC_ADDRESS": str(tmp_path / "none")}
        done = subprocess.run(
            [kata.path, *flags],
            cwd=bundle,
            env=env,
            input=options.SerializeToString(),
            capture_output=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    yield call
    for fd in fds:
        os.close(fd)


def ask(address: str, method: str, timeout: float = 10, **fields: Any) -> Any:
    known = methods.service(TASK).methods[method]
    request = known.request(**fields).SerializeToString()
    return known.response.FromString(
        blocking.call(Path(address.removeprefix("unix://")), TASK, method, request, [NAMESPACE], timeout)
    )


def test_a_pod_and_a_container_that_joins_it(tmp_path: Path, kata: Kata, run: Run) -> None:
    address = run("pod", "start").decode()
    assert run("web", "start", args="exit 3", **{TYPE: "container", SANDBOX_ID: "pod"}).decode() == address
    for id in ("pod", "web"):
        pid = ask(address, "Create", id=id, bundle=str(tmp_path / id)).pid
        assert pid == kata.machine("pod")
        ask(address, "Start", id=id)
    assert [line["config_path"] for line in kata.told("start")] == ["/etc/kata.toml"] * 2
    assert ask(address, "Wait", id="web").exit_status == 3
    ended = os.pidfd_open(kata.shim("pod"))
    ask(address, "Kill", id="pod", signal=9)
    for id in ("web", "pod"):
        ask(address, "Delete", id=id)
        ask(address, "Shutdown", id=id)
    assert select.select([ended], [], [], 10)[0], "it ends with its last container"
    os.close(ended)
    assert not leftovers.runs(kata.machine("pod"))


def test_nobody_joins_a_pod_that_is_not_there(run: Run) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run("web", "start", **{TYPE: "container", SANDBOX_ID: "none"})
    assert b"no machine for pod none" in failed.value.stderr


def test_json(kata: Kata, run: Run) -> None:
    kata.does(answer="json")
    said = json.loads(run("pod", "start"))
    assert (said["version"], said["protocol"]) == (3, "ttrpc")


def test_misbehaviour(tmp_path: Path, kata: Kata, run: Run) -> None:
    address = run("pod", "start").decode()
    kata.does(hang=("State",), unknown=("Pids",))
    with pytest.raises((errors.Error, TimeoutError)):
        ask(address, "State", timeout=0.2, id="pod")
    with pytest.raises(errors.Error, match="the agent does not answer"):
        ask(address, "Pids", id="pod")
    kata.does(die=("Create",), litter=True)
    with pytest.raises(errors.Error):
        ask(address, "Create", id="pod", bundle=str(tmp_path / "pod"))
    assert kata.sockets
    machine = kata.machine("pod")
    assert leftovers.runs(machine)
    assert shim_v3.DeleteResponse.FromString(run("pod", "delete")).exit_status == 137
    assert not leftovers.runs(machine)
    assert [line["id"] for line in kata.told("delete")] == ["pod"]
    kata.forget()
    assert kata.told("delete") == []
