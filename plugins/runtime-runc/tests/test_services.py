from __future__ import annotations

import asyncio
from typing import Any

import pytest
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

    scenario(body)
