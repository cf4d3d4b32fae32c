"""``containerd.services.sandbox.v1.Controller``: running sandboxes, through the controller that a request names.

What is answered and what is left out, and that every ``Wait`` that ends announces the exit once more, is as in
plugins/services/sandbox/controller_service.go of containerd v2.3. ``Platform``, which that file forgets, is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from moorage_api.convert import mounts, payloads, platforms, timestamps
from moorage_api.convert import sandboxes as records
from moorage_api.messages import events, sandboxes
from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Exchange
from moorage_sdk.namespaces import required
from moorage_sdk.sandboxes import Creation, Sandbox, SandboxController
from moorage_services.calls import Call, Handler
from moorage_services.drains import Drain


class Addressed(Protocol):
    sandboxer: str


class SandboxerService:
    """``controllers`` by name, looked into at each call."""

    name = "containerd.services.sandbox.v1.Controller"

    def __init__(self, controllers: Mapping[str, SandboxController], exchange: Exchange, drain: Drain) -> None:
        self._controllers = controllers
        self._exchange = exchange
        self._drain = drain

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Create": self.create,
            "Start": self.start,
            "Platform": self.platform,
            "Stop": self.stop,
            "Wait": self.wait,
            "Status": self.status,
            "Shutdown": self.shutdown,
            "Metrics": self.metrics,
            "Update": self.update,
        }

    async def create(self, request: sandboxes.ControllerCreateRequest, call: Call) -> Message:
        """A client before 2.0 names the sandbox only; its record is then empty but for the id."""
        controller = self._controller(request)
        told = records.from_message(request.sandbox) if request.HasField("sandbox") else None
        creation = Creation(
            told or Sandbox(request.sandbox_id, Runtime("")),
            mounts.from_messages(request.rootfs),
            payloads.optional(request.options),
            request.netns_path,
            dict(request.annotations),
        )
        await controller.create(required(call.namespace), creation)
        self._publish(call, "create", events.SandboxCreate(sandbox_id=request.sandbox_id))
        return sandboxes.ControllerCreateResponse(sandbox_id=request.sandbox_id)

    async def start(self, request: sandboxes.ControllerStartRequest, call: Call) -> Message:
        """Address, version and spec are for those who call the controller in process; clients never get them."""
        instance = await self._controller(request).start(required(call.namespace), request.sandbox_id)
        self._publish(call, "start", events.SandboxStart(sandbox_id=request.sandbox_id))
        return sandboxes.ControllerStartResponse(
            sandbox_id=instance.id,
            pid=instance.pid,
            created_at=timestamps.to_message(instance.created_at),
            labels=instance.labels,
        )

    async def platform(self, request: sandboxes.ControllerPlatformRequest, call: Call) -> Message:
        found = await self._controller(request).platform(required(call.namespace), request.sandbox_id)
        return sandboxes.ControllerPlatformResponse(platform=platforms.to_message(found))

    async def stop(self, request: sandboxes.ControllerStopRequest, call: Call) -> Message:
        controller = self._controller(request)
        await controller.stop(required(call.namespace), request.sandbox_id, float(request.timeout_secs))
        return sandboxes.ControllerStopResponse()

    async def wait(self, request: sandboxes.ControllerWaitRequest, call: Call) -> Message:
        controller = self._controller(request)
        exited = await self._drain.wait(controller.wait(required(call.namespace), request.sandbox_id))
        at = timestamps.to_message(exited.exited_at)
        told = events.SandboxExit(sandbox_id=request.sandbox_id, exit_status=exited.status, exited_at=at)
        self._publish(call, "exit", told)
        return sandboxes.ControllerWaitResponse(exit_status=exited.status, exited_at=at)

    async def status(self, request: sandboxes.ControllerStatusRequest, call: Call) -> Message:
        """``extra`` is there even when it is empty; address and version are not, as in ``start``."""
        controller = self._controller(request)
        found = await controller.status(required(call.namespace), request.sandbox_id, verbose=request.verbose)
        return sandboxes.ControllerStatusResponse(
            sandbox_id=found.id,
            pid=found.pid,
            state=found.state,
            info=found.info,
            created_at=timestamps.to_message(found.created_at),
            exited_at=timestamps.to_message(found.exited_at),
            extra=payloads.to_optional(found.extra) or Any(),
        )

    async def shutdown(self, request: sandboxes.ControllerShutdownRequest, call: Call) -> Message:
        await self._controller(request).shutdown(required(call.namespace), request.sandbox_id)
        return sandboxes.ControllerShutdownResponse()

    async def metrics(self, request: sandboxes.ControllerMetricsRequest, call: Call) -> Message:
        found = await self._controller(request).metrics(required(call.namespace), request.sandbox_id)
        return sandboxes.ControllerMetricsResponse(metrics=records.metric_to_message(found) if found else None)

    async def update(self, request: sandboxes.ControllerUpdateRequest, call: Call) -> Message:
        controller = self._controller(request)
        if not request.HasField("sandbox"):
            raise errors.Error("sandbox can not be nil")  # without a class there, so without one here
        sandbox = records.from_message(request.sandbox)
        await controller.update(required(call.namespace), request.sandbox_id, sandbox, tuple(request.fields))
        return sandboxes.ControllerUpdateResponse()

    def _controller(self, request: Addressed) -> SandboxController:
        if not request.sandboxer:
            raise errors.InvalidArgument("sandbox controller: no name: invalid argument")
        controller = self._controllers.get(request.sandboxer)
        if controller is None:
            raise errors.NotFound(f'sandbox controller "{request.sandboxer}": not found')
        return controller

    def _publish(self, call: Call, topic: str, event: Message) -> None:
        self._exchange.publish(call.namespace, f"/sandboxes/{topic}", payloads.of(event))
