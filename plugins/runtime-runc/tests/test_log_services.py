"""Rotation, as the kubelet does it: rename, then ask for another file."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorage_api.messages import shim_v3
from moorage_runtime_runc import shims
from moorage_sdk import errors

COUNT = "i=0; while [ ! -e /tmp/stop ]; do echo line $i; i=$((i+1)); done; echo $i >&2"


async def reopen(node: Any, id: str = "c") -> None:
    request = shim_v3.StateRequest(id=id).SerializeToString()
    metadata = [("containerd-namespace-ttrpc", "test")]
    await (await node.client()).call(shims.MONITOR, "ReopenLog", request, metadata=metadata)


def test_nothing_is_lost_by_rotation(scenario: Any) -> None:
    async def body(node: Any) -> None:
        path = node.folder / "pods" / "0.log"
        bundle = node.bundle("sh", "-c", COUNT)
        await node.create(bundle, stdout=f"cri-log://{path}")
        await node.call("Start")
        parts = [path.with_suffix(f".{number}") for number in range(5)]
        for part in parts:
            async with asyncio.timeout(20):
                while not path.stat().st_size:
                    await asyncio.sleep(0.005)
            path.rename(part)
            await reopen(node)
        (bundle / "rootfs" / "tmp" / "stop").touch()
        assert (await node.call("Wait")).exit_status == 0
        await node.call("Delete")
        lines = [line.split(" ", 3) for each in (*parts, path) for line in each.read_text().splitlines()]
        (count,) = [int(text) for _, name, _, text in lines if name == "stderr"]
        assert [text for _, name, _, text in lines if name == "stdout"] == [f"line {number}" for number in range(count)]
        assert all(kind == "F" for _, _, kind, _ in lines)

    scenario(body)


def test_a_link_in_its_place_is_refused_and_the_old_file_gone_on_with(scenario: Any) -> None:
    async def body(node: Any) -> None:
        path, old, secret = node.folder / "0.log", node.folder / "old", node.folder / "secret"
        secret.write_text("kept")
        script = "echo before; while [ ! -e /tmp/go ]; do sleep 0.02; done; echo after"
        bundle = node.bundle("sh", "-c", script)
        await node.create(bundle, stdout=f"cri-log://{path}?max_line=100")
        await node.call("Start")
        path.rename(old)
        path.symlink_to(secret)
        with pytest.raises(errors.InvalidArgument, match="not a regular file"):
            await reopen(node)
        (bundle / "rootfs" / "tmp" / "go").touch()
        await node.call("Wait")
        await node.call("Delete")
        assert secret.read_text() == "kept"
        assert [line[31:] for line in old.read_text().splitlines()] == ["stdout F before", "stdout F after"]

    scenario(body)


def test_only_logs_that_we_write_are_opened_again(scenario: Any) -> None:
    async def body(node: Any) -> None:
        with pytest.raises(errors.NotFound):
            await reopen(node, "none")
        await node.create(node.bundle(), stdout=f"file://{node.folder}/log")
        with pytest.raises(errors.FailedPrecondition, match="is not written by the monitor"):
            await reopen(node)
        await node.call("Kill", signal=9)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)
