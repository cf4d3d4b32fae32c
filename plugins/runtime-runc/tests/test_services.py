from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import cgroups1, cgroups2, runc_options, runtime_options, shim_v2, shim_v3
from moorage_sdk import errors


def test_create_start_wait_delete(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("sh", "-c", "exit 7")
        pid = await node.create(bundle)
        assert pid > 0
        assert await node.status() == "CREATED"
        waiting = asyncio.create_task(node.call("Wait"))
        assert (await node.call("Start")).pid == pid
        assert (await waiting).exit_status == 7
        assert await node.status() == "STOPPED"
        deleted = await node.call("Delete")
        assert (deleted.pid, deleted.exit_status) == (pid, 7)
        assert deleted.exited_at.seconds > 0
        with pytest.raises(errors.NotFound):
            await node.status()
        await node.until_event("TaskDelete")
        assert node.names() == ["TaskCreate", "TaskStart", "TaskExit", "TaskDelete"]
        assert {each.namespace for each in node.envelopes} == {"test"}
        assert [each.topic for each in node.envelopes][2] == "/tasks/exit"
        assert node.envelopes[2].event.type_url == "containerd.events.TaskExit"
        assert node.events[2].id == "c"

    scenario(body)


def test_pids_stats_and_update(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("sh", "-c", "sleep 1000 & sleep 1000")
        init = await node.create(bundle)
        await node.call("Start")
        extra = await node.exec("e", "sleep", "1000")
        await asyncio.sleep(0.2)
        found = {each.pid: each.info for each in (await node.call("Pids")).processes}
        assert {init, extra} < set(found) and len(found) >= 3
        details = typeurls.unpack(found[extra])
        assert details == runc_options.ProcessDetails(exec_id="e")
        assert not found[init].type_url
        resources = typeurls.pack_json(typeurls.LINUX_RESOURCES, {"pids": {"limit": 77}})
        await node.call("Update", resources=resources)
        packed = (await node.call("Stats")).stats
        metrics = typeurls.unpack(packed)
        assert isinstance(metrics, (cgroups1.Metrics, cgroups2.Metrics))
        assert metrics.pids.limit == 77
        assert metrics.pids.current == len(found)
        assert packed.type_url in ("io.containerd.cgroups.v1.Metrics", "io.containerd.cgroups.v2.Metrics")
        with pytest.raises(errors.Error, match="OCI runtime update failed"):
            await node.call("Update", resources=typeurls.pack(runc_options.Options(root="{")))
        await node.call("Kill", signal=9)
        await node.call("Wait")
        with pytest.raises(errors.Error, match="cannot update a stopped container"):
            await node.call("Update", resources=resources)
        await node.call("Delete")

    scenario(body)


def test_options_in_toml_and_unknown_ones(scenario: Any) -> None:
    async def body(node: Any) -> None:
        toml = f'BinaryName = "{node.binary}"\nRoot = "{node.runtime_root}"\n'.encode()
        packed = typeurls.pack(runtime_options.Options(config_body=toml))
        await node.create(node.bundle("true"), options=packed)
        assert Path(node.runtime_root, "test", "c").is_dir()
        await node.call("Delete")
        with pytest.raises(errors.InvalidArgument, match="not known to runc"):
            await node.create(node.bundle(name="d"), "d", options=typeurls.pack(shim_v3.StateRequest()))

    scenario(body)


def test_version_2_of_the_api(scenario: Any) -> None:
    async def body(node: Any) -> None:
        service = "containerd.task.v2.Task"
        await node.create(node.bundle("true"), service=service)
        await node.call("Start", service=service)
        assert (await node.call("Wait", service=service)).exit_status == 0
        await node.call("Delete", service=service)

    scenario(body)


def test_both_versions_have_the_same_fields() -> None:
    names = [name for name in dir(shim_v3) if re.fullmatch(r"[A-Z]\w*(Request|Response)", name)]
    assert len(names) > 20
    for name in names:
        ours, theirs = getattr(shim_v3, name).DESCRIPTOR, getattr(shim_v2, name).DESCRIPTOR
        shape = [(field.name, field.number, field.type) for field in ours.fields]
        assert shape == [(field.name, field.number, field.type) for field in theirs.fields]


def test_a_client_that_leaves_ends_only_its_own_wait(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        waiting = asyncio.create_task(node.call("Wait"))
        await asyncio.sleep(0.1)
        client = await node.client()
        await client.close()
        with pytest.raises(errors.Unavailable):
            await waiting
        assert await node.status() == "RUNNING"
        await node.call("Kill", signal=9)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")

    scenario(body)
