"""``containerd.services.mounts.v1``."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import activations
from moorage_api.convert import mounts as plans
from moorage_api.messages import mounts
from moorage_sdk.activations import MountManager
from moorage_services.calls import Call, Handler
from moorage_services.pools import Pool


class MountService:
    """``pool`` is its own, for a mount may hang for as long as a disk or a server does."""

    name = "containerd.services.mounts.v1.Mounts"

    def __init__(self, manager: MountManager, pool: Pool) -> None:
        self._manager = manager
        self._pool = pool

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Activate": self.activate,
            "Deactivate": self.deactivate,
            "Info": self.info,
            "Update": self.update,
            "List": self.list,
        }

    async def activate(self, request: mounts.ActivateRequest, call: Call) -> mounts.ActivateResponse:
        done = await self._pool.run(
            self._manager.activate,
            call.namespace,
            request.name,
            plans.from_messages(request.mounts),
            labels=dict(request.labels),
            temporary=request.temporary,
            lease=call.lease,
        )
        return mounts.ActivateResponse(info=activations.to_message(done))

    async def deactivate(self, request: mounts.DeactivateRequest, call: Call) -> Empty:
        await self._pool.run(self._manager.deactivate, call.namespace, request.name)
        return Empty()

    async def info(self, request: mounts.InfoRequest, call: Call) -> mounts.InfoResponse:
        found = await self._pool.run(self._manager.info, call.namespace, request.name)
        return mounts.InfoResponse(info=activations.to_message(found))

    async def update(self, request: mounts.UpdateRequest, call: Call) -> mounts.UpdateResponse:
        activation, paths = activations.from_message(request.info), tuple(request.update_mask.paths)
        updated = await self._pool.run(self._manager.update, call.namespace, activation, paths)
        return mounts.UpdateResponse(info=activations.to_message(updated))

    async def list(self, request: mounts.ListRequest, call: Call) -> None:
        """The filters of the request are not looked at, as in containerd: a client gets what it has to sort out."""
        for found in await self._pool.run(self._manager.list, call.namespace):
            await call.send(mounts.ListMessage(info=activations.to_message(found)))
