"""The Mounts service (containerd 2.2). An older daemon answers errors.Unimplemented, as to what needs no activation."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence

from moorage_api.convert import activations
from moorage_api.convert import mounts as plans
from moorage_api.messages import mounts
from moorage_client.calls import Caller
from moorage_sdk.activations import Activation
from moorage_sdk.mounts import Mount

SERVICE = "containerd.services.mounts.v1.Mounts"


class Mounts:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def activate(
        self, name: str, planned: Sequence[Mount], labels: Mapping[str, str] | None = None, *, temporary: bool = False
    ) -> Activation:
        """Have the daemon perform what mount(2) alone cannot do; ``temporary`` has it perform everything.

        Raises errors.Unimplemented when the mounts can be used as they are, errors.AlreadyExists,
        errors.InvalidArgument.
        """
        request = mounts.ActivateRequest(
            name=name, mounts=plans.to_messages(planned), labels=labels or {}, temporary=temporary
        )
        return activations.from_message((await self._caller.call(SERVICE, "Activate", request)).info)

    async def deactivate(self, name: str) -> None:
        """Raises errors.NotFound, errors.FailedPrecondition for one in use."""
        await self._caller.call(SERVICE, "Deactivate", mounts.DeactivateRequest(name=name))

    async def info(self, name: str) -> Activation:
        """Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "Info", mounts.InfoRequest(name=name))
        return activations.from_message(answer.info)

    async def list(self) -> builtins.list[Activation]:
        stream = self._caller.receive(SERVICE, "List", mounts.ListRequest())
        return [activations.from_message(message.info) async for message in stream]
