from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import namespaces
from moorage_client.clients import Client
from moorage_client.namespaces import SERVICE
from moorage_sdk.namespaces import Namespace


def test_all_methods(talk: Any) -> None:
    log: list[Any] = []

    async def get(request: Any, context: Any) -> Any:
        return namespaces.GetNamespaceResponse(namespace=namespaces.Namespace(name=request.name, labels={"a": "b"}))

    async def list_(request: Any, context: Any) -> Any:
        return namespaces.ListNamespacesResponse(namespaces=[namespaces.Namespace(name="x")])

    async def create(request: Any, context: Any) -> Any:
        return namespaces.CreateNamespaceResponse(namespace=request.namespace)

    async def update(request: Any, context: Any) -> Any:
        log.append(list(request.update_mask.paths))
        log.append(dict(request.namespace.labels))
        return namespaces.UpdateNamespaceResponse()

    async def delete(request: Any, context: Any) -> Empty:
        log.append(request.name)
        return Empty()

    async def work(client: Client) -> None:
        assert await client.namespaces.get("x") == Namespace("x", {"a": "b"})
        assert await client.namespaces.list() == [Namespace("x")]
        assert await client.namespaces.create("y", {"c": "d"}) == Namespace("y", {"c": "d"})
        await client.namespaces.update(Namespace("y", {"e": "f"}), ["labels.e"])
        await client.namespaces.delete("y")

    handlers = {"Get": get, "List": list_, "Create": create, "Update": update, "Delete": delete}
    talk({SERVICE: handlers}, work)
    assert log == [["labels.e"], {"e": "f"}, "y"]
