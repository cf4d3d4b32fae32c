"""Shims that serve containerd's Task API over gRPC, which its documentation calls experimental (docs/runtime-v2.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from moorage_client.calls import NAMESPACE_HEADER, Stubs
from moorage_client.clients import OPTIONS


class ShimChannel:
    """The connection to one shim. It is made once: a shim that has gone does not come back under its address."""

    def __init__(self, path: Path) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix://{path}", options=OPTIONS)
        self._stubs = Stubs(self._channel)

    async def ready(self) -> None:
        """Returns when it is connected, however long that takes."""
        await self._channel.channel_ready()

    async def call(
        self, service: str, method: str, request: Message, *, namespace: str, timeout: float | None = None
    ) -> Any:
        """The response. Raises errors of ``moorage_sdk.errors``."""
        metadata = ((NAMESPACE_HEADER, namespace),)
        return await self._stubs[service].call(method, request, metadata=metadata, timeout=timeout)

    async def ended(self) -> None:
        """Returns when the connection is no longer there."""
        ready = grpc.ChannelConnectivity.READY
        while self._channel.get_state() is ready:
            await self._channel.wait_for_state_change(ready)

    async def close(self) -> None:
        await self._channel.close()
