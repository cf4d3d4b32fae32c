"""The Containers service: records that tasks are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.convert import typeurls
from moorage_api.convert.containers import from_message, to_message
from moorage_api.messages import containers
from moorage_client.calls import Caller
from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.events import Payload

SERVICE = "containerd.services.containers.v1.Containers"


class Containers:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, id: str) -> Container:
        """Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "Get", containers.GetContainerRequest(id=id))
        return from_message(answer.container)

    async def list(self, filters: Sequence[str] = ()) -> list[Container]:
        """By id. Uses the streamed method where the daemon has it: a unary answer is limited to 16 MiB."""
        request = containers.ListContainersRequest(filters=filters)
        try:
            return [
                from_message(message.container)
                async for message in self._caller.receive(SERVICE, "ListStream", request)
            ]
        except errors.Unimplemented:
            answer = await self._caller.call(SERVICE, "List", request)
            return [from_message(message) for message in answer.containers]

    async def create(self, container: Container) -> Container:
        """Raises errors.AlreadyExists, errors.InvalidArgument."""
        request = containers.CreateContainerRequest(container=to_message(container))
        return from_message((await self._caller.call(SERVICE, "Create", request)).container)

    async def update(self, container: Container, paths: Sequence[str] = ()) -> Container:
        """Replace all that may change, or what ``paths`` name. Raises errors.NotFound, errors.InvalidArgument."""
        request = containers.UpdateContainerRequest(container=to_message(container), update_mask=FieldMask(paths=paths))
        return from_message((await self._caller.call(SERVICE, "Update", request)).container)

    async def delete(self, id: str) -> None:
        """The record goes; snapshot and task do not. Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Delete", containers.DeleteContainerRequest(id=id))


def spec_payload(spec: Mapping[str, Any]) -> Payload:
    """An OCI runtime specification as the payload of ``Container.spec``."""
    packed = typeurls.pack_json(typeurls.SPEC, spec)
    return Payload(packed.type_url, packed.value)


def spec_of(container: Container) -> dict[str, Any]:
    """The OCI runtime specification of a container. Raises errors.InvalidArgument when it has none that is JSON."""
    try:
        spec = json.loads(container.spec.value) if container.spec else None
    except (ValueError, RecursionError):
        spec = None
    if not isinstance(spec, dict):
        raise errors.InvalidArgument(f'container "{container.id}": has no readable specification: invalid argument')
    return spec
