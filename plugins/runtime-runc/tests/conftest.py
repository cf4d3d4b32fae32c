"""A monitor as a process of its own, a daemon that only takes its events, and bundles with busybox in them."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import typeurls
from moorage_api.messages import events, runc_options, shim_v3, task_types, ttrpc_events
from moorage_runtime_runc import publishers
from moorage_sdk import errors
from moorage_ttrpc import clients, methods, servers

NAMESPACE = "test"
TASK = "containerd.task.v3.Task"
RUNC_ROOT = f"/run/moorage-test-runc-{os.getpid()}"
"""Of this run alone: runs beside it have containers of the same names."""

RESPONSES: dict[str, Any] = {
    "Create": shim_v3.CreateTaskResponse,
    "Start": shim_v3.StartResponse,
    "Delete": shim_v3.DeleteResponse,
    "State": shim_v3.StateResponse,
    "Wait": shim_v3.WaitResponse,
    "Pids": shim_v3.PidsResponse,
    "Stats": shim_v3.StatsResponse,
    "Connect": shim_v3.ConnectResponse,
}
REQUESTS: dict[str, Any] = {
    "Create": shim_v3.CreateTaskRequest,
    "Exec": shim_v3.ExecProcessRequest,
    "Checkpoint": shim_v3.CheckpointTaskRequest,
    "Update": shim_v3.UpdateTaskRequest,
}


class Node:
    """One monitor and everything a test does to it."""

    original_limit = 1234
    runtime_root = RUNC_ROOT

    def __init__(self, folder: Path, binary: str) -> None:
        self.folder = folder
        self.binary = binary
        self.socket = folder / "monitor.sock"
        self.address = folder / "daemon.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.events: list[Any] = []
        self.numbers: list[int] = []
        self.envelopes: list[Any] = []
        self.program = ["-m", "moorage_runtime_runc.monitor"]
        self.arguments: list[str] = []
        self.prefix: list[str] = []
        self._client: clients.Client | None = None
        self._server: servers.Server | None = None
        self._connecting = asyncio.Lock()

    # The daemon's side.

    async def listen(self) -> None:
        """Take events from now on."""
        method = methods.Method(ttrpc_events.ForwardRequest.FromString, self._forward, Empty.SerializeToString)
        self._server = servers.Server({publishers.SERVICE: {"Forward": method}})
        await self._server.serve(self.address.with_name("daemon.sock.ttrpc"))

    async def deafen(self) -> None:
        """Take no more events, as a daemon that restarts."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def _forward(self, request: Any, call: methods.Call) -> Any:
        number = int(call.value(publishers.NUMBER))
        if number not in self.numbers:
            self.numbers.append(number)
            self.envelopes.append(request.envelope)
            self.events.append(typeurls.unpack(request.envelope.event))
        return Empty()

    async def until_event(self, name: str, **fields: Any) -> Any:
        """Wait for an event with these fields."""
        async with asyncio.timeout(20):
            while True:
                for event in self.events:
                    same = all(getattr(event, field, None) == value for field, value in fields.items())
                    if event.DESCRIPTOR.name == name and same:
                        return event
                await asyncio.sleep(0.01)

    def names(self) -> list[str]:
        return [event.DESCRIPTOR.name for event in self.events]

    # The monitor.

    def start(self) -> None:
        command = [sys.executable, "-I", *self.program, "--state", str(self.folder / "state")]
        command += ["--socket", str(self.socket), "--address", str(self.address), *self.arguments]
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        command = [*self.prefix, "prlimit", f"--nofile={self.original_limit}:{hard}", *command]
        with open(self.folder / "monitor.log", "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    async def client(self) -> clients.Client:
        async with self._connecting, asyncio.timeout(20):
            while self._client is None or self._client.closed:
                try:
                    self._client = await clients.connect(self.socket)
                except errors.Unavailable:
                    await asyncio.sleep(0.02)
            return self._client

    async def call(
        self, name: str, id: str = "c", *, namespace: str = NAMESPACE, service: str = TASK, **fields: Any
    ) -> Any:
        request = REQUESTS.get(name) or getattr(shim_v3, f"{name}Request")
        client = await self.client()
        payload = request(id=id, **fields).SerializeToString()
        metadata = [("containerd-namespace-ttrpc", namespace)] if namespace else []
        return RESPONSES.get(name, Empty).FromString(await client.call(service, name, payload, metadata=metadata))

    async def create(self, bundle: Path, id: str = "c", **fields: Any) -> int:
        options = runc_options.Options(binary_name=self.binary, root=RUNC_ROOT)
        packed = fields.pop("options", None) or typeurls.pack(options)
        answer = await self.call("Create", id, bundle=str(bundle), options=packed, **fields)
        return int(answer.pid)

    async def run(self, bundle: Path, id: str = "c", **fields: Any) -> Any:
        """Create, start, wait and delete; the answer of Delete."""
        await self.create(bundle, id, **fields)
        waiting = asyncio.create_task(self.call("Wait", id))
        await asyncio.sleep(0)
        await self.call("Start", id)
        await waiting
        return await self.call("Delete", id)

    async def exec(self, exec_id: str, *argv: str, id: str = "c", **fields: Any) -> int:
        spec = {"args": list(argv), "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}
        packed = typeurls.pack_json(typeurls.PROCESS, spec)
        await self.call("Exec", id, exec_id=exec_id, spec=packed, **fields)
        return int((await self.call("Start", id, exec_id=exec_id)).pid)

    async def status(self, id: str = "c", exec_id: str = "") -> str:
        state = await self.call("State", id, exec_id=exec_id)
        names = ("UNKNOWN", "CREATED", "RUNNING", "STOPPED", "PAUSED", "PAUSING")
        assert names.index("RUNNING") == task_types.RUNNING
        return names[state.status]

    # Bundles.

    def bundle(self, *argv: str, name: str = "c", **changes: Any) -> Path:
        """A bundle whose root file system has busybox; ``changes`` replace keys of the spec's process or linux part."""
        bundle = self.folder / "bundles" / name
        rootfs = bundle / "rootfs"
        for each in ("bin", "proc", "dev", "sys", "tmp"):
            (rootfs / each).mkdir(parents=True, exist_ok=True)
        os.link(_busybox(self.folder), rootfs / "bin" / "busybox")
        for applet in ("sh", "sleep", "cat", "echo", "true", "false", "dd", "head", "stty", "kill", "tr", "ls", "env"):
            (rootfs / "bin" / applet).symlink_to("busybox")
        (bundle / "config.json").write_text(json.dumps(spec(argv or ("sleep", "1000"), name, **changes)))
        return bundle

    def fifo(self, name: str) -> Path:
        path = self.folder / name
        os.mkfifo(path, 0o600)
        return path

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
        await self.deafen()


def _busybox(folder: Path) -> Path:
    copy = folder / "busybox"
    if not copy.exists():
        shutil.copy2("/usr/bin/busybox" if Path("/usr/bin/busybox").exists() else "/bin/busybox", copy)
    return copy


def spec(argv: tuple[str, ...], name: str, **changes: Any) -> dict[str, Any]:
    process = {
        "args": list(argv),
        "cwd": "/",
        "env": ["PATH=/bin"],
        "user": {"uid": 0, "gid": 0},
        "noNewPrivileges": True,
    }
    namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
    linux = {"namespaces": namespaces, "cgroupsPath": f"/moorage-test-{os.getpid()}-{name}", "resources": {}}
    process.update(
        {
            key: changes.pop(key)
            for key in list(changes)
            if key in ("terminal", "cwd", "env", "rlimits", "user", "apparmorProfile")
        }
    )
    linux.update(changes)
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs", "readonly": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["newinstance", "ptmxmode=0666"],
            },
        ],
        "linux": linux,
    }


@pytest.fixture(params=["runc"])
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    """A monitor that is running; its containers, mounts and cgroups are removed afterwards."""
    if os.geteuid() != 0:
        pytest.skip("needs root: containers")
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    folder = Path(tempfile.mkdtemp(prefix="moorage-monitor-"))
    node = Node(folder, request.param)
    node.start()
    try:
        yield node
    finally:
        _clean_up(node)


def _clean_up(node: Node) -> None:
    if node.process is not None and node.process.poll() is None:
        node.stop(signal.SIGKILL)  # it would wait a second for somebody to take its last events
    for bundle in folders(node.folder / "bundles"):
        for runtime in {node.binary, "runc"}:
            command = [runtime, "--root", f"{RUNC_ROOT}/{NAMESPACE}", "delete", "--force", bundle.name]
            subprocess.run(command, capture_output=True, check=False)
        subprocess.run(["umount", "-l", bundle / "rootfs"], capture_output=True, check=False)
    print((node.folder / "monitor.log").read_text("utf-8", "replace"))
    shutil.rmtree(node.folder)
    shutil.rmtree(RUNC_ROOT, ignore_errors=True)


def folders(path: Path) -> list[Path]:
    return sorted(path.iterdir()) if path.exists() else []


@pytest.fixture
def scenario(node: Node) -> Callable[[Callable[[Node], Awaitable[None]]], None]:
    """Runs a coroutine function with the node; its events are taken from the start."""

    def run(body: Callable[[Node], Awaitable[None]]) -> None:
        async def main() -> None:
            await node.listen()
            try:
                async with asyncio.timeout(120):
                    await body(node)
            finally:
                await node.close()

        asyncio.run(main())

    return run


__all__ = ["Node", "events"]
