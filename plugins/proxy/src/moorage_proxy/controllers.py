"""A sandbox controller in another process, as ``core/sandbox/proxy`` in containerd v2.3 speaks to one.

Methods of this slot are coroutines, and waiting for a sandbox takes as long as it lives: so these calls are made on a
channel of the daemon's loop, and not in threads as those of the other slots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc.aio
from google.protobuf.message import Message

from moorage_api.calling import Stub
from moorage_api.convert import errors as statuses
from moorage_api.convert import mounts, payloads, platforms, timestamps
from moorage_api.convert import sandboxes as records
from moorage_api.messages import sandboxes
from moorage_proxy.peers import OPTIONS, Peer, target
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk import errors
from moorage_sdk.platforms import Platform
from moorage_sdk.sandboxes import Creation, Instance, Metric, Sandbox, SandboxController, Status
from moorage_sdk.tasks import Exit

SERVICE = "containerd.services.sandbox.v1.Controller"

FIRST_PAUSE, LONGEST_PAUSE = 0.128, 4.096
"""Seconds between attempts to wait at a peer that is away (controller.go)."""


class ProxyController(SandboxController):
    """``name`` is what the peer is asked for."""

    def __init__(self, peer: Peer, name: str, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._name = name
        self._scope = scope
        self._channel: Any = None
        self._stub: Stub | None = None

    async def create(self, namespace: str, creation: Creation) -> None:
        request = sandboxes.ControllerCreateRequest(
            sandbox_id=creation.sandbox.id,
            rootfs=mounts.to_messages(creation.rootfs),
            options=payloads.to_optional(creation.options),
            netns_path=creation.netns,
            annotations=creation.annotations,
            sandbox=records.to_message(creation.sandbox),
            sandboxer=self._name,
        )
        await self._call(namespace, "Create", request)

    async def start(self, namespace: str, id: str) -> Instance:
        request = sandboxes.ControllerStartRequest(sandbox_id=id, sandboxer=self._name)
        answer = await self._call(namespace, "Start", request)
        return Instance(
            id,
            answer.pid,
            timestamps.from_message(answer.created_at),
            answer.address,
            answer.version,
            dict(answer.labels),
            payloads.optional(answer.spec),
        )

    async def platform(self, namespace: str, id: str) -> Platform:
        request = sandboxes.ControllerPlatformRequest(sandbox_id=id, sandboxer=self._name)
        return platforms.from_message((await self._call(namespace, "Platform", request)).platform)

    async def stop(self, namespace: str, id: str, timeout: float = 0.0) -> None:
        seconds = max(0, int(timeout))
        request = sandboxes.ControllerStopRequest(sandbox_id=id, timeout_secs=seconds, sandboxer=self._name)
        await self._call(namespace, "Stop", request)

    async def wait(self, namespace: str, id: str) -> Exit:
        """A peer that is away may come back, with the sandbox that it left behind."""
        request = sandboxes.ControllerWaitRequest(sandbox_id=id, sandboxer=self._name)
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await self._call(namespace, "Wait", request)
            except errors.Unavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return Exit(answer.exit_status, timestamps.from_message(answer.exited_at), 0, id)

    async def status(self, namespace: str, id: str, *, verbose: bool = False) -> Status:
        request = sandboxes.ControllerStatusRequest(sandbox_id=id, verbose=verbose, sandboxer=self._name)
        answer = await self._call(namespace, "Status", request)
        known = records.status_from_message(answer)
        return Status(
            id,
            known.pid,
            known.state,
            known.info,
            known.created_at,
            known.exited_at,
            known.extra,
            answer.address,
            answer.version,
        )

    async def shutdown(self, namespace: str, id: str) -> None:
        request = sandboxes.ControllerShutdownRequest(sandbox_id=id, sandboxer=self._name)
        await self._call(namespace, "Shutdown", request)

    async def metrics(self, namespace: str, id: str) -> Metric | None:
        request = sandboxes.ControllerMetricsRequest(sandbox_id=id, sandboxer=self._name)
        answer = await self._call(namespace, "Metrics", request)
        return records.metric_from_message(answer.metrics) if answer.HasField("metrics") else None

    async def update(self, namespace: str, id: str, sandbox: Sandbox, paths: Sequence[str] = ()) -> None:
        request = sandboxes.ControllerUpdateRequest(
            sandbox_id=id, sandboxer=self._name, sandbox=records.to_message(sandbox), fields=paths
        )
        await self._call(namespace, "Update", request)

    async def close(self) -> None:
        """End all calls."""
        channel, self._channel, self._stub = self._channel, None, None
        if channel is not None:
            await channel.close()

    async def _call(self, namespace: str, method: str, request: Message) -> Any:
        if self._stub is None:
            self._channel = grpc.aio.insecure_channel(target(self._peer.address), options=OPTIONS)
            self._stub = Stub(self._channel, SERVICE)
        try:
            return await self._stub.call(method, request, metadata=self._scope.within(namespace).headers)
        except errors.Unavailable as error:
            raise self._peer.failure(statuses.CODES[errors.Unavailable], error.message) from None
