"""containerd's Sandbox API for shims, over the sandboxes of this node.

Root file system, network namespace, options and annotations of a request are for shims that make something of them: a
container of the pod is told of its own by its own specification.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from moorage_api.convert import platforms as messages
from moorage_api.convert import timestamps
from moorage_api.messages import shim_sandbox
from moorage_runtime_runc.sandboxes import Sandbox, Sandboxes
from moorage_runtime_runc.shims import NAMESPACE, SANDBOX
from moorage_sdk import platforms
from moorage_sys import faults
from moorage_ttrpc.methods import Call, Method, Services


class SandboxService:
    """One method for each of the API's, taking the request and the sandbox that it is about."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes

    def services(self) -> Services:
        """What a ttrpc server serves."""
        api = shim_sandbox
        methods = {
            "CreateSandbox": Method(api.CreateSandboxRequest.FromString, self._create, _encode),
            "StartSandbox": self._method(api.StartSandboxRequest, self._start),
            "Platform": self._method(api.PlatformRequest, self._platform),
            "StopSandbox": self._method(api.StopSandboxRequest, self._stop),
            "WaitSandbox": self._method(api.WaitSandboxRequest, self._wait),
            "SandboxStatus": self._method(api.SandboxStatusRequest, self._status),
            "PingSandbox": self._method(api.PingRequest, self._ping),
            "ShutdownSandbox": self._method(api.ShutdownSandboxRequest, self._shut_down),
            "SandboxMetrics": self._method(api.SandboxMetricsRequest, self._metrics),
        }
        return {SANDBOX: methods}

    def _method(self, request: type[Message], handler: Callable[[Sandbox, Any], Awaitable[Message]]) -> Method:
        async def handle(message: Any, call: Call) -> Message:
            sandbox = self._sandboxes.get(call.value(NAMESPACE), message.sandbox_id)
            with faults.translated(f'sandbox "{sandbox.id}"'):
                return await handler(sandbox, message)

        return Method(request.FromString, handle, _encode)

    async def _create(self, request: shim_sandbox.CreateSandboxRequest, call: Call) -> Message:
        with faults.translated(f'sandbox "{request.sandbox_id}"'):
            self._sandboxes.create(call.value(NAMESPACE), request.sandbox_id, Path(request.bundle_path))
        return shim_sandbox.CreateSandboxResponse()

    async def _start(self, sandbox: Sandbox, request: Any) -> Message:
        """No pid: there is no process."""
        self._sandboxes.start(sandbox)
        return shim_sandbox.StartSandboxResponse(created_at=timestamps.to_message(sandbox.created_at))

    async def _platform(self, sandbox: Sandbox, request: Any) -> Message:
        return shim_sandbox.PlatformResponse(platform=messages.to_message(platforms.host()))

    async def _stop(self, sandbox: Sandbox, request: Any) -> Message:
        self._sandboxes.stop(sandbox)
        return shim_sandbox.StopSandboxResponse()

    async def _wait(self, sandbox: Sandbox, request: Any) -> Message:
        await sandbox.ended.wait()
        return shim_sandbox.WaitSandboxResponse(exited_at=timestamps.to_message(sandbox.exited_at))

    async def _status(self, sandbox: Sandbox, request: Any) -> Message:
        return shim_sandbox.SandboxStatusResponse(
            sandbox_id=sandbox.id,
            state=sandbox.state,
            created_at=timestamps.to_message(sandbox.created_at),
            exited_at=timestamps.to_message(sandbox.exited_at),
        )

    async def _ping(self, sandbox: Sandbox, request: Any) -> Message:
        return shim_sandbox.PingResponse()

    async def _shut_down(self, sandbox: Sandbox, request: Any) -> Message:
        self._sandboxes.remove(sandbox)
        return shim_sandbox.ShutdownSandboxResponse()

    async def _metrics(self, sandbox: Sandbox, request: Any) -> Message:
        return shim_sandbox.SandboxMetricsResponse()


def _encode(message: Message) -> bytes:
    return message.SerializeToString()
