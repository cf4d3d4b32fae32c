from typing import Any

import pytest

from moorage_api.messages import introspection, rpc_status, types
from moorage_client.clients import Client
from moorage_client.plugins import METADATA, SERVICE, SNAPSHOTTER, Plugin, Server
from moorage_sdk import errors
from moorage_sdk.platforms import Platform


def test_states(talk: Any) -> None:
    asked = []

    async def plugins(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
        asked.extend(request.filters)
        answer = introspection.PluginsResponse()
        answer.plugins.add(
            type="t", id="ok", platforms=[types.Platform(os="linux", architecture="amd64")], exports={"root": "/r"}
        )
        answer.plugins.add(type="t", id="no", init_err=rpc_status.Status(code=2, message="boom"))
        answer.plugins.add(type="t", id="skipped", init_err=rpc_status.Status(message="no zfs: skip plugin"))
        return answer

    async def work(client: Client) -> list[Plugin]:
        return await client.plugins.list(["type==t"])

    found = talk({SERVICE: {"Plugins": plugins}}, work)
    assert [plugin.status for plugin in found] == ["ok", "error", "skip"]
    assert found[0].uri == "t.ok"
    assert found[0].exports == {"root": "/r"}
    assert found[0].platforms == (Platform("linux", "amd64"),)
    assert found[1].error == "boom"
    assert asked == ["type==t"]


@pytest.mark.parametrize(
    "working, expected", [(["btrfs", "overlayfs"], "overlayfs"), (["native", "btrfs"], "btrfs"), ([], None)]
)
def test_the_snapshotter_to_use(talk: Any, working: list[str], expected: str | None) -> None:
    async def plugins(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
        answer = introspection.PluginsResponse()
        for id in working:
            answer.plugins.add(type=SNAPSHOTTER, id=id)
        answer.plugins.add(type=SNAPSHOTTER, id="zfs", init_err=rpc_status.Status(code=2, message="boom"))
        return answer

    async def work(client: Client) -> list[str]:
        return [await client.plugins.snapshotter("mine"), await client.plugins.snapshotter()]

    if expected is None:
        with pytest.raises(errors.FailedPrecondition, match="none works"):
            talk({SERVICE: {"Plugins": plugins}}, work)
    else:
        assert talk({SERVICE: {"Plugins": plugins}}, work) == ["mine", expected]


def test_the_daemons_default_goes_before_ours(talk: Any) -> None:
    async def plugins(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
        answer = introspection.PluginsResponse()
        answer.plugins.add(type=SNAPSHOTTER, id="overlayfs")
        answer.plugins.add(type=METADATA, id="lmdb", exports={"default-snapshotter": "native"})
        return answer

    async def work(client: Client) -> str:
        return await client.plugins.snapshotter()

    assert talk({SERVICE: {"Plugins": plugins}}, work) == "native"


def test_server(talk: Any) -> None:
    async def server(request: Any, context: Any) -> introspection.ServerResponse:
        answer = introspection.ServerResponse(uuid="u", pid=7)
        answer.deprecations.add(id="x", message="old")
        return answer

    async def work(client: Client) -> Server:
        return await client.plugins.server()

    assert talk({SERVICE: {"Server": server}}, work) == Server("u", 7, ("old",))
