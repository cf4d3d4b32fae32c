"""Introspection, version and health: what both daemons answer, call by call."""

from __future__ import annotations

from typing import Any

import pytest

HEALTH = "grpc.health.v1.Health"

PLUGINS = [
    "type==io.containerd.snapshotter.v1,id==native", "type==io.containerd.snapshotter.v1,id==overlayfs",
    "type==io.containerd.content.v1", "type==none", "id==none", "nofield==x", "type~=(", "platforms==linux",
    "capabilities",
    "id==native,type!=io.containerd.snapshotter.v1",
]  # fmt: skip


@pytest.mark.parametrize("filter", PLUGINS)
def test_plugins(same: Any, filter: str) -> None:
    async def play(say: Any) -> None:
        got = await say.client.ask("introspection", "Plugins", {"filters": [filter]}, namespace="")
        found = [(plugin.type, plugin.id, plugin.HasField("init_err")) for plugin in got.plugins]
        say.transcript.said(f"Plugins({filter})", plugins=str(sorted(found)))

    same(play)


@pytest.mark.parametrize("filter", ["id==", "==", "id=x", 'id=="', "id==a,"])
def test_bad_filters(same: Any, filter: str) -> None:
    async def play(say: Any) -> None:
        await say("introspection", "Plugins", filters=[filter], ns="")

    same(play)


def test_services_of_the_api_are_plugins(same: Any) -> None:
    async def play(say: Any) -> None:
        got = await say.client.ask(
            "introspection", "Plugins", {"filters": ["type==io.containerd.grpc.v1"]}, namespace=""
        )
        ids = {plugin.id for plugin in got.plugins}
        asked = ["containers", "content", "diff", "events", "healthcheck", "images", "introspection", "leases",
        "namespaces",
                 "snapshots", "tasks", "version"]  # fmt: skip
        asked += ["mounts", "sandbox-controllers", "sandboxes", "streaming", "transfer"] * say.knows(2, 2)
        say.transcript.said("Plugins(services)", **{id: id in ids for id in asked})

    same(play)


DETAILS = [
    "type==io.containerd.snapshotter.v1,id==overlayfs", "type==io.containerd.snapshotter.v1,id==native",
    "type==io.containerd.content.v1,id==content", "type==io.containerd.gc.v1", "type==io.containerd.warning.v1",
    "type==io.containerd.server.v1,id==grpc-tcp",
]  # fmt: skip


@pytest.mark.parametrize("filter", DETAILS)
def test_what_plugins_tell_of_themselves(same: Any, filter: str) -> None:
    async def play(say: Any) -> None:
        got = await say.client.ask("introspection", "Plugins", {"filters": [filter]}, namespace="")
        for plugin in got.plugins:
            say.transcript.said(
                f"Plugins({plugin.id})",
                platforms=str([each.os for each in plugin.platforms]),
                capabilities=str(sorted(plugin.capabilities)),
                exports=str(sorted(plugin.exports)),
                error=str(plugin.init_err.code),
                ending=plugin.init_err.message.rpartition(": ")[2],
            )

    same(play, since=(2, 3))


def test_types_that_plugins_require(moorage: Any) -> None:
    async def talk(client: Any) -> None:
        got = await client.ask("introspection", "Plugins", namespace="")
        required = {each.id: set(each.requires) for each in got.plugins if each.type == "io.containerd.grpc.v1"}
        assert {"io.containerd.metadata.v1", "io.containerd.gc.v1"} <= required["images"]
        assert "io.containerd.warning.v1" in required["introspection"]
        known = {plugin.type for plugin in got.plugins}
        assert {each for some in required.values() for each in some} <= known

    moorage.run(talk)


def test_the_server(same: Any) -> None:
    async def play(say: Any) -> None:
        got = await say.client.ask("introspection", "Server", namespace="")
        theirs = [each for each in got.deprecations if "/old-runtime-" not in each.id]  # what only we look for
        warned = [(each.id, each.last_occurrence.seconds > 0, bool(each.message)) for each in theirs]
        say.transcript.said("Server()", deprecations=str(warned), pidns=str(got.pidns), identity=str(len(got.uuid)))
        assert got.pid > 1

    same(play, since=(2, 2))


def test_plugin_info(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("introspection", "PluginInfo", "nothing", ns="")
        await say("introspection", "PluginInfo", "unknown", type="io.containerd.snapshotter.v1", id="unknown", ns="")
        await say("introspection", "PluginInfo", "unknown type", type="unknown", id="native", ns="")

    same(play, since=(2, 0))


def test_health(same: Any) -> None:
    async def play(say: Any) -> None:
        await say(HEALTH, "Check", "all", ns="")
        await say(HEALTH, "Check", "unknown", service="unknown", ns="")
        await say(HEALTH, "Check", "in a bad namespace", ns="a/b")

    same(play)


def test_version_needs_no_namespace(same: Any) -> None:
    async def play(say: Any) -> None:
        for namespace in ("", "a/b", "wire"):
            verdict = await say.client.verdict("version", "Version", namespace=namespace)
            say.transcript.said(f"Version({namespace})", verdict=verdict)

    same(play)
