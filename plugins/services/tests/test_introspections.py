"""The introspection service."""

import asyncio
import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.messages import introspection as api
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.slots import Status
from moorage_services import introspections
from moorage_services.deprecations import Register
from moorage_services.introspections import IntrospectionService
from moorage_services.pools import Pool

TASKS = "io.containerd.runtime.v2.task"
STATUSES = (
    Status("io.containerd.snapshotter.v1.overlayfs", "ok", exports={"root": "/r"}, capabilities=("rebase",)),
    Status("io.containerd.snapshotter.v1.btrfs", "skip", "no btrfs here"),
    Status("io.containerd.grpc.v1.grpc-tcp", "failed", "no such port", requires=("io.containerd.x.v1",)),
    Status("io.containerd.gone.v1.x", "disabled", "by configuration"),
    Status("io.containerd.grpc.v1.late", "failed", "requires x: x failed: no such port: not found"),
    Status(TASKS, "ok"),
)


class Informer:
    async def info(self, options: Payload) -> Payload:
        return Payload("containerd.types.RuntimeInfo", options.value * 2)


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def service(tmp_path: Path, pool: Pool, register: Register) -> IntrospectionService:
    return IntrospectionService(tmp_path / "uuid", lambda: STATUSES, {TASKS: Informer()}, register, pool)


def test_plugins_show_how_they_fared(service: IntrospectionService, call: Callable[..., Any]) -> None:
    said = asyncio.run(service.plugins(api.PluginsRequest(), call("")))
    found = {plugin.id: plugin for plugin in said.plugins}
    assert list(found) == ["overlayfs", "btrfs", "grpc-tcp", "late", "task"]
    assert found["overlayfs"].type == "io.containerd.snapshotter.v1"
    assert dict(found["overlayfs"].exports) == {"root": "/r"}
    assert list(found["overlayfs"].capabilities) == ["rebase"]
    assert not found["overlayfs"].HasField("init_err")
    assert found["btrfs"].init_err.message == "no btrfs here: skip plugin"
    assert found["grpc-tcp"].init_err.message == "no such port"
    assert [found[id].init_err.code for id in ("btrfs", "grpc-tcp", "late")] == [2, 2, 5]
    assert list(found["grpc-tcp"].requires) == ["io.containerd.x.v1"]


def test_those_that_run_something_say_on_which_platform(
    service: IntrospectionService, call: Callable[..., Any]
) -> None:
    said = asyncio.run(service.plugins(api.PluginsRequest(filters=[f"id==task,type=={TASKS[:-5]}"]), call("")))
    assert [platform.os for plugin in said.plugins for platform in plugin.platforms] == ["linux"]


def test_a_plugin_may_serve_another_platform_than_the_hosts() -> None:
    told = introspections.to_message(Status("io.containerd.content.v1.far", "ok", platforms=("linux/arm/v7",)))
    assert [(each.os, each.architecture, each.variant) for each in told.platforms] == [("linux", "arm", "v7")]


@pytest.mark.parametrize(
    ("filter", "ids"), [("id==btrfs", ["btrfs"]), ("type~=grpc", ["grpc-tcp", "late"]), ("platforms==x", [])]
)
def test_filters(service: IntrospectionService, call: Callable[..., Any], filter: str, ids: list[str]) -> None:
    said = asyncio.run(service.plugins(api.PluginsRequest(filters=[filter]), call("")))
    assert [plugin.id for plugin in said.plugins] == ids


def test_the_server_tells_what_is_deprecated(
    service: IntrospectionService, register: Register, call: Callable[..., Any]
) -> None:
    assert list(asyncio.run(service.server(None, call(""))).deprecations) == []
    register.warn("cgroup-v1", "words")
    (told,) = asyncio.run(service.server(None, call(""))).deprecations
    assert (told.id, told.message) == ("io.containerd.deprecation/cgroup-v1", "words")
    assert told.last_occurrence.ToNanoseconds() == register.met()[0].last_at


def test_the_server_keeps_its_identity(service: IntrospectionService, call: Callable[..., Any], tmp_path: Path) -> None:
    async def run() -> None:
        first, second = [await service.server(None, call("")) for _ in range(2)]
        assert str(uuid.UUID(first.uuid)) == first.uuid == second.uuid
        assert first.pid == os.getpid()
        assert first.pidns == Path("/proc/self/ns/pid").stat().st_ino
        assert stat.S_IMODE((tmp_path / "uuid").stat().st_mode) == 0o600

    asyncio.run(run())


def test_an_identity_is_read_made_or_complained_of(tmp_path: Path) -> None:
    file = tmp_path / "uuid"
    file.write_text("4a8bff4a-8d3c-4a3a-a4d5-7c3f6f9c1f54\n")
    assert introspections.identity(file) == "4a8bff4a-8d3c-4a3a-a4d5-7c3f6f9c1f54"
    file.write_text("")
    made = introspections.identity(file)
    assert file.read_text() == made
    file.write_text("nonsense")
    with pytest.raises(errors.Internal, match="uuid"):
        introspections.identity(file)
    assert file.read_text() == "nonsense"


def test_plugin_info(service: IntrospectionService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        plain = await service.plugin_info(
            api.PluginInfoRequest(type="io.containerd.snapshotter.v1", id="overlayfs"), call("")
        )
        assert plain.plugin.id == "overlayfs"
        assert not plain.HasField("extra")
        options = Packed(type_url="containerd.types.RuntimeRequest", value=b"ab")
        extra = await service.plugin_info(
            api.PluginInfoRequest(type="io.containerd.runtime.v2", id="task", options=options), call("")
        )
        assert (extra.extra.type_url, extra.extra.value) == ("containerd.types.RuntimeInfo", b"abab")
        for (type, id), kind in {
            ("io.containerd.snapshotter.v1", "none"): errors.NotFound,
            ("io.containerd.gone.v1", "x"): errors.NotFound,
            ("io.containerd.snapshotter.v1", "btrfs"): errors.FailedPrecondition,
            ("io.containerd.snapshotter.v1", "overlayfs"): errors.Unimplemented,
        }.items():
            with pytest.raises(kind):
                await service.plugin_info(api.PluginInfoRequest(type=type, id=id, options=options), call(""))

    asyncio.run(run())
