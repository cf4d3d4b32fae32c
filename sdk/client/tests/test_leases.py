from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import timestamps
from moorage_api.messages import leases
from moorage_client.clients import Client
from moorage_client.leases import SERVICE
from moorage_sdk import errors
from moorage_sdk.leases import Lease, Resource


def test_all_methods(talk: Any) -> None:
    log: list[Any] = []

    async def create(request: Any, context: Any) -> Any:
        lease = leases.Lease(id=request.id, labels=request.labels, created_at=timestamps.to_message(7))
        return leases.CreateResponse(lease=lease)

    async def delete(request: Any, context: Any) -> Empty:
        log.append((request.id, request.sync))
        return Empty()

    async def list_(request: Any, context: Any) -> Any:
        log.append(list(request.filters))
        return leases.ListResponse(leases=[leases.Lease(id="a"), leases.Lease(id="b")])

    async def add(request: Any, context: Any) -> Empty:
        log.append(("add", request.id, request.resource.id, request.resource.type))
        return Empty()

    async def remove(request: Any, context: Any) -> Empty:
        log.append(("remove", request.id, request.resource.id, request.resource.type))
        return Empty()

    async def resources(request: Any, context: Any) -> Any:
        return leases.ListResourcesResponse(resources=[leases.Resource(id="k", type="snapshots/overlayfs")])

    async def work(client: Client) -> None:
        assert await client.leases.create("x", {"a": "b"}) == Lease("x", 7, {"a": "b"})
        assert [lease.id for lease in await client.leases.list(["id==a"])] == ["a", "b"]
        await client.leases.add("x", Resource("r", "content"))
        await client.leases.remove("x", Resource("r", "content"))
        assert await client.leases.resources("x") == [Resource("k", "snapshots/overlayfs")]
        await client.leases.delete("x", sync=True)

    handlers = {
        "Create": create,
        "Delete": delete,
        "List": list_,
        "AddResource": add,
        "DeleteResource": remove,
        "ListResources": resources,
    }
    talk({SERVICE: handlers}, work)
    assert log == [["id==a"], ("add", "x", "r", "content"), ("remove", "x", "r", "content"), ("x", True)]


def test_a_lease_that_somebody_else_deleted_is_no_failure(talk: Any) -> None:
    async def create(request: Any, context: Any) -> Any:
        return leases.CreateResponse(lease=leases.Lease(id=request.id))

    async def delete(request: Any, context: Any) -> Empty:
        raise errors.NotFound("lease: not found")

    async def work(client: Client) -> str:
        async with client.leases.held() as first:
            pass
        async with client.leases.held() as second:
            assert second != first
        return first

    assert talk({SERVICE: {"Create": create, "Delete": delete}}, work)


def test_a_lease_that_cannot_be_deleted_is(talk: Any) -> None:
    async def create(request: Any, context: Any) -> Any:
        return leases.CreateResponse(lease=leases.Lease(id=request.id))

    async def delete(request: Any, context: Any) -> Empty:
        raise errors.Internal("disk: broken")

    async def work(client: Client) -> None:
        with pytest.raises(errors.Internal):
            async with client.leases.held():
                pass

    talk({SERVICE: {"Create": create, "Delete": delete}}, work)
