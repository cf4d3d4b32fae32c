"""The Namespaces service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import namespaces
from moorage_client.calls import Caller
from moorage_sdk.namespaces import Namespace

SERVICE = "containerd.services.namespaces.v1.Namespaces"


class Namespaces:
    """Independent of the client's own namespace."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def get(self, name: str) -> Namespace:
        """A namespace that nobody knows is an empty one."""
        answer = await self._caller.call(SERVICE, "Get", namespaces.GetNamespaceRequest(name=name))
        return _value(answer.namespace)

    async def list(self) -> list[Namespace]:
        answer = await self._caller.call(SERVICE, "List", namespaces.ListNamespacesRequest())
        return [_value(message) for message in answer.namespaces]

    async def create(self, name: str, labels: Mapping[str, str] | None = None) -> Namespace:
        """Raises errors.AlreadyExists, errors.InvalidArgument."""
        message = namespaces.Namespace(name=name, labels=labels or {})
        answer = await self._caller.call(SERVICE, "Create", namespaces.CreateNamespaceRequest(namespace=message))
        return _value(answer.namespace)

    async def update(self, namespace: Namespace, paths: Sequence[str] = ()) -> None:
        """Replace all labels, or those that ``paths`` name (``labels.K``). Raises errors.InvalidArgument.

        Daemons do not tell what became of it; ``get`` does.
        """
        request = namespaces.UpdateNamespaceRequest(
            namespace=namespaces.Namespace(name=namespace.name, labels=namespace.labels),
            update_mask=FieldMask(paths=paths),
        )
        await self._caller.call(SERVICE, "Update", request)

    async def delete(self, name: str) -> None:
        """Raises errors.NotFound, and errors.FailedPrecondition naming what is left in it."""
        await self._caller.call(SERVICE, "Delete", namespaces.DeleteNamespaceRequest(name=name))


def _value(message: Any) -> Namespace:
    return Namespace(message.name, dict(message.labels))
