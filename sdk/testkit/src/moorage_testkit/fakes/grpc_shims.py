"""The shim without containers, over gRPC instead of ttrpc."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc.aio

from moorage_api import methods, serving
from moorage_testkit.fakes.shims import NAMESPACE, SANDBOX, Shim

HEADER = "containerd-namespace"


class GrpcShim(Shim):
    """As ``Shim``; only version 3 of the Task API is known over gRPC."""

    _listener: grpc.aio.Server | None = None

    async def start(self) -> None:
        listener = grpc.aio.server()
        task = methods.service("containerd.task.v3.Task")
        offered = {task.name: {name: _over_grpc(self._handler(task, name)) for name in task.methods}}
        if self.sandboxes is not None:
            sandbox = methods.service(SANDBOX)
            offered[SANDBOX] = {name: _over_grpc(self._sandbox_handler(sandbox, name)) for name in sandbox.methods}
        listener.add_generic_rpc_handlers([serving.handler(*each) for each in offered.items()])
        listener.add_insecure_port(f"unix:{self.path}")
        await listener.start()
        self._listener = listener

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop(None)
            self._listener = None


class _Call:
    """As much of a ttrpc call as the handlers look at."""

    def __init__(self, context: Any) -> None:
        told: dict[str, str] = dict(context.invocation_metadata())
        self._values = {NAMESPACE: told.get(HEADER, "")}

    def value(self, key: str) -> str:
        return self._values[key]


def _over_grpc(handle: Callable[..., Any]) -> Callable[..., Any]:
    async def handler(request: Any, context: Any) -> Any:
        return await handle(request, _Call(context))

    return handler
