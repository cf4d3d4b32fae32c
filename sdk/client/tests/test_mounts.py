from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import mounts, types
from moorage_client.clients import Client
from moorage_client.mounts import SERVICE
from moorage_sdk import errors
from moorage_sdk.activations import Activation, ActiveMount
from moorage_sdk.mounts import Mount

LOOP = Mount("loop", "/disk", ("ro",))
EXT4 = Mount("format/ext4", "{{ mount 0 }}")
INFO = types.ActivationInfo(
    name="web",
    active=[types.ActiveMount(mount=types.Mount(type="loop", source="/disk", options=["ro"]), mount_point="/p")],
    system=[types.Mount(type="ext4", source="/p")],
    labels={"a": "b"},
)
DONE = Activation("web", (ActiveMount(LOOP, "/p"),), (Mount("ext4", "/p"),), {"a": "b"})


def test_all_methods(talk: Any) -> None:
    log: list[Any] = []

    async def activate(request: Any, context: Any) -> Any:
        log.append((request.name, [each.type for each in request.mounts], dict(request.labels), request.temporary))
        return mounts.ActivateResponse(info=INFO)

    async def deactivate(request: Any, context: Any) -> Empty:
        log.append(request.name)
        return Empty()

    async def info(request: Any, context: Any) -> Any:
        return mounts.InfoResponse(info=INFO)

    async def list_(request: Any, context: Any) -> Any:
        for _ in range(2):
            yield mounts.ListMessage(info=INFO)

    async def work(client: Client) -> None:
        assert await client.mounts.activate("web", [LOOP, EXT4], {"a": "b"}) == DONE
        await client.mounts.activate("web", [LOOP], temporary=True)
        assert await client.mounts.info("web") == DONE
        assert await client.mounts.list() == [DONE, DONE]
        await client.mounts.deactivate("web")

    methods = {"Activate": activate, "Deactivate": deactivate, "Info": info, "List": list_}
    talk({SERVICE: methods}, work)
    assert log == [("web", ["loop", "format/ext4"], {"a": "b"}, False), ("web", ["loop"], {}, True), "web"]


def test_a_daemon_without_the_service(talk: Any) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(errors.Unimplemented):
            await client.mounts.list()

    talk({}, work)
