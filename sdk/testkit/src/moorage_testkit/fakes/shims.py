"""A shim without containers: containerd's Task API over ttrpc, with the states and errors of the real one, and the
Sandbox API beside it.

``moorage_testkit.programs`` makes a program of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api import methods
from moorage_api.convert import timestamps
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint, Runtime
from moorage_sdk.tasks import Bundle, Status
from moorage_ttrpc.methods import Call, bind
from moorage_ttrpc.servers import Server

NAMESPACE = "containerd-namespace-ttrpc"
SANDBOX = "containerd.runtime.sandbox.v1.Sandbox"


@dataclass
class Process:
    """One process; ``exited`` holds its exit status once it has one."""

    request: Any
    pid: int
    exited: asyncio.Future[int]
    status: Status = Status.CREATED
    exited_at: int = 0


@dataclass
class Sandbox:
    """One sandbox, with what it was created from."""

    request: Any
    exited: asyncio.Future[int]
    state: str = "SANDBOX_NOTREADY"
    created_at: int = 0
    exited_at: int = 0


@dataclass
class Shim:
    """``tasks`` by namespace, id and exec id. ``fail`` names methods that raise, ``hang`` those that never answer.

    ``sandboxes`` by namespace and id; None for a shim that does not know the Sandbox API. ``leave`` is called when a
    sandbox is shut down, which is the end of most shims that have one.
    """

    path: Path
    version: int = 3
    tasks: dict[tuple[str, str, str], Process] = field(default_factory=dict)
    sandboxes: dict[tuple[str, str], Sandbox] | None = None
    leave: Callable[[], object] = lambda: None
    fail: dict[str, errors.Error] = field(default_factory=dict)
    hang: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    _server: Server | None = None
    _last_pid: int = 100

    async def start(self) -> None:
        """Serve. May be called again after ``stop``, with the tasks that there were."""
        names = [f"containerd.task.v{version}.Task" for version in (2, 3) if version <= self.version]
        services = {name: self._bound(name) for name in names}
        if self.sandboxes is not None:
            service = methods.service(SANDBOX)
            handlers = {method: self._sandbox_handler(service, method) for method in service.methods}
            services[SANDBOX] = bind(service.methods, handlers)
        self._server = Server(services)
        await self._server.serve(self.path)

    async def stop(self) -> None:
        """Die: connections break, tasks stay as they are."""
        if self._server:
            await self._server.close()
            self._server = None

    async def __aenter__(self) -> Shim:
        await self.start()
        return self

    async def __aexit__(self, *ignored: object) -> None:
        await self.stop()

    def exit(self, namespace: str, id: str, exec_id: str = "", status: int = 0) -> None:
        """Let a process end."""
        process = self.tasks[namespace, id, exec_id]
        process.status, process.exited_at = Status.STOPPED, time.time_ns()
        process.exited.set_result(status)

    def _bound(self, name: str) -> Any:
        service = methods.service(name)
        return bind(service.methods, {method: self._handler(service, method) for method in service.methods})

    async def _begin(self, method: str) -> None:
        """Count a call, and let it hang or fail as the test says."""
        self.calls[method] += 1
        if method in self.hang:
            await asyncio.get_running_loop().create_future()
        if method in self.fail:
            raise self.fail[method]

    def _handler(self, service: methods.Service, method: str) -> Any:
        async def handle(request: Any, call: Call) -> Any:
            await self._begin(method)
            response = service.methods[method].response
            key = (call.value(NAMESPACE), request.id, getattr(request, "exec_id", ""))
            return await getattr(self, f"_{method.lower()}")(request, key, response)

        return handle

    def _sandbox_handler(self, service: methods.Service, method: str) -> Any:
        async def handle(request: Any, call: Call) -> Any:
            await self._begin(method)
            key = (call.value(NAMESPACE), request.sandbox_id)
            if method != "CreateSandbox" and key not in (self.sandboxes or {}):
                raise errors.NotFound(f"sandbox {request.sandbox_id}: not found")
            said = await getattr(self, f"_{method.lower()}")(request, key)
            return service.methods[method].response(**said)

        return handle

    def end_sandbox(self, namespace: str, id: str, status: int = 0) -> None:
        """Let it end."""
        sandbox = self._sandbox((namespace, id))
        sandbox.state, sandbox.exited_at = "SANDBOX_NOTREADY", time.time_ns()
        if not sandbox.exited.done():
            sandbox.exited.set_result(status)

    def _sandbox(self, key: tuple[str, str]) -> Sandbox:
        assert self.sandboxes is not None
        return self.sandboxes[key]

    async def _createsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        assert self.sandboxes is not None
        if key in self.sandboxes:
            raise errors.AlreadyExists(f"sandbox {request.sandbox_id}: already exists")
        self.sandboxes[key] = Sandbox(request, asyncio.get_running_loop().create_future(), created_at=time.time_ns())
        return {}

    async def _startsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        sandbox = self._sandbox(key)
        sandbox.state = "SANDBOX_READY"
        return {"pid": 42, "created_at": timestamps.to_message(sandbox.created_at)}

    async def _platform(self, request: Any, key: tuple[str, str]) -> Any:
        return {"platform": {"os": "linux", "architecture": "riscv64"}}

    async def _stopsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        self.end_sandbox(*key, status=137)
        return {}

    async def _waitsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        sandbox = self._sandbox(key)
        status = await asyncio.shield(sandbox.exited)
        return {"exit_status": status, "exited_at": timestamps.to_message(sandbox.exited_at)}

    async def _sandboxstatus(self, request: Any, key: tuple[str, str]) -> Any:
        sandbox = self._sandbox(key)
        return {
            "sandbox_id": request.sandbox_id,
            "pid": 42 if sandbox.state == "SANDBOX_READY" else 0,
            "state": sandbox.state,
            "info": {"scripted": "yes"} if request.verbose else {},
            "created_at": timestamps.to_message(sandbox.created_at),
            "exited_at": timestamps.to_message(sandbox.exited_at),
        }

    async def _pingsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        return {}

    async def _shutdownsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        assert self.sandboxes is not None
        self.end_sandbox(*key, status=137)
        del self.sandboxes[key]
        self.leave()
        return {}

    async def _sandboxmetrics(self, request: Any, key: tuple[str, str]) -> Any:
        return {"metrics": {"id": request.sandbox_id, "data": {"type_url": "io.containerd.cgroups.v2.Metrics"}}}

    def _get(self, key: tuple[str, str, str]) -> Process:
        if key not in self.tasks:
            raise errors.NotFound(f"process {key}: not found")
        return self.tasks[key]

    async def _create(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        if key in self.tasks:
            raise errors.AlreadyExists(f"task {request.id}: already exists")
        return response(pid=self._add(request, key).pid)

    async def _exec(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        if self._get((key[0], key[1], "")).status == Status.STOPPED:
            raise errors.FailedPrecondition(f"task {request.id} is stopped: failed precondition")
        if key in self.tasks:
            raise errors.AlreadyExists(f"exec {request.exec_id}: already exists")
        self._add(request, key)
        return Empty()

    def _add(self, request: Any, key: tuple[str, str, str]) -> Process:
        self._last_pid += 1
        self.tasks[key] = Process(request, self._last_pid, asyncio.get_running_loop().create_future())
        return self.tasks[key]

    async def _start(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        process = self._get(key)
        if process.status != Status.CREATED:
            raise errors.FailedPrecondition(f"process {key}: was started before: failed precondition")
        process.status = Status.RUNNING
        return response(pid=process.pid)

    async def _state(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        process = self._get(key)
        known = process.request
        return response(
            id=request.id,
            exec_id=key[2],
            pid=process.pid,
            status=int(process.status),
            stdin=known.stdin,
            stdout=known.stdout,
            stderr=known.stderr,
            terminal=known.terminal,
            exit_status=process.exited.result() if process.exited.done() else 0,
            exited_at=timestamps.to_message(process.exited_at),
        )

    async def _delete(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        process = self._get(key)
        if process.status not in (Status.CREATED, Status.STOPPED):
            raise errors.FailedPrecondition("cannot delete a running process: failed precondition")
        del self.tasks[key]
        status = process.exited.result() if process.exited.done() else 0
        return response(pid=process.pid, exit_status=status, exited_at=timestamps.to_message(process.exited_at))

    async def _kill(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        process = self._get(key)
        if process.exited.done():
            raise errors.NotFound("process already finished: not found")
        if request.signal in (9, 15):
            self.exit(*key, status=128 + request.signal)
        return Empty()

    async def _wait(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        process = self._get(key)
        status = await asyncio.shield(process.exited)
        return response(exit_status=status, exited_at=timestamps.to_message(process.exited_at))

    async def _pause(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        self._get(key).status = Status.PAUSED
        return Empty()

    async def _resume(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        self._get(key).status = Status.RUNNING
        return Empty()

    async def _pids(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        found = [process for each, process in self.tasks.items() if each[:2] == key[:2]]
        return response(processes=[{"pid": process.pid} for process in found])

    async def _stats(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        self._get(key)
        return response(stats={"type_url": "io.containerd.cgroups.v2.Metrics", "value": b""})

    async def _connect(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        return response(shim_pid=1, task_pid=self._get(key).pid)

    async def _shutdown(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        return Empty()

    async def _accepted(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        self._get(key)
        return Empty()

    _resizepty = _closeio = _update = _checkpoint = _accepted


class ShimRuntime(Runtime):
    """The slot ``runtime`` over one such shim. ``cleaned`` are the bundles cleared up, ``found`` what ``find`` says."""

    def __init__(self, shim: Shim, *names: str, shared: bool = True) -> None:
        self.endpoint = Endpoint(str(shim.path), shim.version, shared)
        self.found: Endpoint | errors.Error | None = self.endpoint
        self.cleaned: list[Bundle] = []
        self._names = names or ("io.containerd.runc.v2",)

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    async def start(self, bundle: Bundle, options: Payload | None = None) -> Endpoint:
        return self.endpoint

    async def find(self, bundle: Bundle) -> Endpoint | None:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def cleanup(self, bundle: Bundle) -> None:
        self.cleaned.append(bundle)
