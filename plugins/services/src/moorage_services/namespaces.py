"""``containerd.services.namespaces.v1``."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import namespaces
from moorage_sdk import masks
from moorage_sdk.namespaces import Namespace, Namespaces
from moorage_services.calls import Call, Handler
from moorage_services.pools import Pool


class NamespaceService:
    """``store`` is asked for each call, because a namespace need not be named to list them."""

    name = "containerd.services.namespaces.v1.Namespaces"

    def __init__(self, store: Namespaces, storage: Pool) -> None:
        self._store = store
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Get": self.get,
            "List": self.list,
            "Create": self.create,
            "Update": self.update,
            "Delete": self.delete,
        }

    async def get(self, request: namespaces.GetNamespaceRequest, call: Call) -> namespaces.GetNamespaceResponse:
        return namespaces.GetNamespaceResponse(namespace=to_message(self._store.get(request.name)))

    async def list(self, request: namespaces.ListNamespacesRequest, call: Call) -> namespaces.ListNamespacesResponse:
        """The field ``filter`` has no effect, as in containerd."""
        found = await self._storage.run(self._store.list)
        return namespaces.ListNamespacesResponse(namespaces=map(to_message, found))

    async def create(
        self, request: namespaces.CreateNamespaceRequest, call: Call
    ) -> namespaces.CreateNamespaceResponse:
        created = await self._storage.run(self._store.create, from_message(request.namespace))
        return namespaces.CreateNamespaceResponse(namespace=to_message(created))

    async def update(
        self, request: namespaces.UpdateNamespaceRequest, call: Call
    ) -> namespaces.UpdateNamespaceResponse:
        """The mask knows single labels only, not ``labels`` as a whole, and the answer is empty.

        Both as in plugins/services/namespaces/local.go of containerd v2.3.
        """
        paths = tuple(request.update_mask.paths)
        masks.check(paths, ("labels.",), f'namespace "{request.namespace.name}"')
        await self._storage.run(self._store.update, from_message(request.namespace), paths)
        return namespaces.UpdateNamespaceResponse()

    async def delete(self, request: namespaces.DeleteNamespaceRequest, call: Call) -> Empty:
        await self._storage.run(self._store.delete, request.name)
        return Empty()


def from_message(message: namespaces.Namespace) -> Namespace:
    return Namespace(message.name, dict(message.labels))


def to_message(namespace: Namespace) -> namespaces.Namespace:
    return namespaces.Namespace(name=namespace.name, labels=namespace.labels)
