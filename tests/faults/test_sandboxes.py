"""Sandboxes when the daemon, or what carries them, is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_sdk import errors
from moorage_testkit import programs
from moorage_testkit.daemons import Daemon, wait_until
from moorage_testkit.worlds import verify_world

STORE = "containerd.services.sandbox.v1.Store"
CONTROLLER = "containerd.services.sandbox.v1.Controller"
SPEC = {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": b'{"ociVersion":"1.1.0"}'}
MONITOR = "io.containerd.runc.v2"


class Pod:
    """One sandbox, and calls about it. ``runtime`` is a name, or a program's path."""

    def __init__(self, daemon: Daemon, namespace: str, runtime: str) -> None:
        self.daemon, self.namespace, self.runtime = daemon, namespace, runtime

    def ask(self, service: str, method: str, **fields: Any) -> Any:
        async def go() -> Any:
            async with grpc.aio.insecure_channel(f"unix:{self.daemon.address}") as channel:
                stub = Stub(channel, service)
                request = stub.service.methods[method].request(**fields)
                metadata = [("containerd-namespace", self.namespace)]
                return await stub.call(method, request, metadata=metadata, timeout=30)

        return asyncio.run(go())

    def control(self, method: str, **fields: Any) -> Any:
        return self.ask(CONTROLLER, method, sandbox_id="pod", sandboxer="shim", **fields)

    def create(self) -> None:
        self.control("Create", sandbox={"sandbox_id": "pod", "runtime": {"name": self.runtime}, "spec": SPEC})

    @property
    def state(self) -> str:
        return str(self.control("Status").state)

    @property
    def bundles(self) -> list[Path]:
        places = (self.daemon.state, self.daemon.root)
        return [path for place in places for path in place.glob(f"*sandbox*/{self.namespace}/*")]


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Path]:
    """A shim that knows sandboxes; what became of it is gone afterwards."""
    yield programs.shim(tmp_path)
    for file in tmp_path.glob("pid-*"):
        with suppress(OSError):
            programs.kill(tmp_path, file.name.removeprefix("pid-"))


@pytest.fixture(params=["monitor", "binary"])
def pod(request: pytest.FixtureRequest, daemon: Daemon, namespace: str, shim: Path) -> Pod:
    return Pod(daemon, namespace, MONITOR if request.param == "monitor" else str(shim))


def test_it_outlives_the_daemon(pod: Pod) -> None:
    pod.create()
    started = pod.control("Start")
    pod.daemon.kill()
    pod.daemon.start()
    status = pod.control("Status")
    assert (status.state, status.pid) == ("SANDBOX_READY", started.pid)
    with pytest.raises(errors.AlreadyExists):
        pod.create()
    pod.control("Stop")
    pod.daemon.kill()
    pod.daemon.start()
    assert pod.state == "SANDBOX_NOTREADY"
    assert pod.control("Wait").exited_at.seconds > 0
    pod.control("Shutdown")
    assert pod.bundles == []
    verify_world(pod.daemon.world).assert_clean()


def test_so_do_the_containers_in_its_shim(daemon: Daemon, namespace: str, shim: Path) -> None:
    pod = Pod(daemon, namespace, str(shim))
    pod.create()
    pod.control("Start")
    container = {"id": "web", "runtime": {"name": pod.runtime}, "spec": SPEC, "sandbox": "pod"}
    tasks, containers = "containerd.services.tasks.v1.Tasks", "containerd.services.containers.v1.Containers"
    pod.ask(STORE, "Create", sandbox={"sandbox_id": "pod"})
    pod.ask(containers, "Create", container=container)
    pod.ask(tasks, "Create", container_id="web")
    pid = pod.ask(tasks, "Start", container_id="web").pid
    daemon.kill()
    daemon.start()
    (task,) = pod.ask(tasks, "List").tasks
    assert (task.id, task.pid, task.status) == ("web", pid, 2)
    pod.ask(tasks, "Kill", container_id="web", signal=9)
    assert pod.ask(tasks, "Delete", container_id="web").exit_status == 137
    # It was not the container's shim, and stays.
    assert pod.state == "SANDBOX_READY"
    assert (shim.parent / "calls").read_text().split()[::2] == ["start", "serve"]
    pod.control("Shutdown")
    pod.ask(containers, "Delete", id="web")
    assert pod.bundles == []


def test_the_daemon_killed_while_one_is_made(pod: Pod, chance: random.Random, full: bool) -> None:
    for _ in range(30 if full else 5):
        making = threading.Thread(target=_attempt, args=[pod])
        making.start()
        time.sleep(chance.uniform(0.0, 0.4))
        pod.daemon.kill()
        making.join()
        pod.daemon.start()
        # All of it is there, or nothing.
        if pod.state:
            pod.control("Start")
            pod.control("Shutdown")
        assert pod.state == ""
        wait_until(lambda: pod.bundles == [])
        pod.create()
        assert pod.state == "SANDBOX_NOTREADY"
        pod.control("Shutdown")
        assert pod.bundles == []


def _attempt(pod: Pod) -> None:
    with suppress(errors.Error, asyncio.CancelledError):
        pod.create()


def test_one_whose_shim_died_with_the_daemon_is_buried(daemon: Daemon, namespace: str, shim: Path) -> None:
    pod = Pod(daemon, namespace, str(shim))
    pod.create()
    daemon.kill()
    programs.kill(shim.parent, "pod")
    daemon.start()
    assert pod.state == ""
    wait_until(lambda: pod.bundles == [])
    assert (shim.parent / "calls").read_text().split()[::2] == ["start", "serve", "delete"]
    pod.create()
    pod.control("Shutdown")


def test_the_monitor_killed_under_it(daemon: Daemon, namespace: str) -> None:
    pod = Pod(daemon, namespace, MONITOR)
    pod.create()
    created = pod.control("Start").created_at
    monitors = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if _is_monitor(path, daemon)]
    assert len(monitors) == 1
    waits: list[Any] = []
    waiting = threading.Thread(target=lambda: waits.append(pod.control("Wait")))
    waiting.start()
    time.sleep(0.2)
    os.kill(int(monitors[0].name), signal.SIGKILL)
    wait_until(lambda: pod.state == "SANDBOX_READY")
    assert pod.control("Status").created_at == created
    pod.control("Stop")
    waiting.join(10)
    assert [each.exit_status for each in waits] == [0]
    pod.control("Shutdown")
    assert pod.bundles == []


def _is_monitor(path: Path, daemon: Daemon) -> bool:
    with suppress(OSError):
        line = path.read_bytes()
        return b"moorage_runtime_runc.monitor" in line and str(daemon.state).encode() in line
    return False
