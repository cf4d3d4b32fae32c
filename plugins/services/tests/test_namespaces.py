"""The namespaces service."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import namespaces as api
from moorage_sdk import errors
from moorage_services.namespaces import NamespaceService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryNamespaces


def test_a_life(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        service, made = NamespaceService(MemoryNamespaces(), pool), call("")
        namespace = api.Namespace(name="a", labels={"k": "v", "empty": ""})
        created = await service.create(api.CreateNamespaceRequest(namespace=namespace), made)
        assert dict(created.namespace.labels) == {"k": "v"}
        with pytest.raises(errors.AlreadyExists):
            await service.create(api.CreateNamespaceRequest(namespace=namespace), made)
        listed = await service.list(api.ListNamespacesRequest(filter="name==none"), made)
        assert [each.name for each in listed.namespaces] == ["a"]
        await service.delete(api.DeleteNamespaceRequest(name="a"), made)
        with pytest.raises(errors.NotFound):
            await service.delete(api.DeleteNamespaceRequest(name="a"), made)

    asyncio.run(run())


def test_an_unknown_namespace_is_an_empty_one(call: Callable[..., Any], pool: Pool) -> None:
    service = NamespaceService(MemoryNamespaces(), pool)
    got = asyncio.run(service.get(api.GetNamespaceRequest(name="nobody"), call("")))
    assert (got.namespace.name, dict(got.namespace.labels)) == ("nobody", {})


def test_masks_name_single_labels(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        service, made = NamespaceService(MemoryNamespaces(), pool), call("")

        async def update(labels: dict[str, str], *paths: str) -> dict[str, str]:
            request = api.UpdateNamespaceRequest(
                namespace=api.Namespace(name="a", labels=labels), update_mask=FieldMask(paths=paths)
            )
            assert await service.update(request, made) == api.UpdateNamespaceResponse()
            got = await service.get(api.GetNamespaceRequest(name="a"), made)
            return dict(got.namespace.labels)

        assert await update({"a": "1", "b.c/d": "2"}) == {"a": "1", "b.c/d": "2"}
        assert await update({"b.c/d": "3", "a": "9"}, "labels.b.c/d") == {"a": "1", "b.c/d": "3"}
        assert await update({}, "labels.a") == {"b.c/d": "3"}
        for path in ("labels", "name", "nonsense"):
            with pytest.raises(errors.InvalidArgument):
                await update({}, path)

    asyncio.run(run())
