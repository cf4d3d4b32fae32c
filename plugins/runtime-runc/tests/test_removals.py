from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import records, removals
from moorage_runtime_runc.records import ProcessRecord, TaskRecord
from moorage_runtime_runc.runtimes import Settings
from moorage_sdk import errors
from moorage_sdk.tasks import Bundle


def test_through_the_monitor(scenario: Any) -> None:
    async def body(node: Any) -> None:
        running, created = node.bundle(), node.bundle(name="d")
        pid = await node.create(running)
        await node.call("Start")
        await node.create(created, "d")
        for path, expected in ((running, pid), (created, None)):
            bundle = Bundle(str(path), "test", path.name)
            found = await asyncio.to_thread(removals.through_monitor, node.socket, bundle)
            assert expected in (None, found)
            with pytest.raises(errors.NotFound):
                await asyncio.to_thread(removals.through_monitor, node.socket, bundle)

    scenario(body)


def test_by_hand_asks_the_runtime_of_the_record(tmp_path: Path) -> None:
    program = tmp_path / "oci"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/argv\nexit 1\n')
    program.chmod(0o755)
    settings = Settings(binary=str(program), root="/somewhere")
    records.write(TaskRecord("ns", "c", str(tmp_path), settings, ProcessRecord("c")))
    (tmp_path / "init.pid").write_text("77")
    assert removals.by_hand(Bundle(str(tmp_path), "ns", "c")) == 77
    assert (tmp_path / "argv").read_text() == "--root /somewhere/ns delete --force c\n"
    assert not (tmp_path / records.FILE).exists()


def test_by_hand_raises_nothing(tmp_path: Path) -> None:
    settings = Settings(binary=str(tmp_path / "none"))
    records.write(TaskRecord("ns", "c", str(tmp_path), settings, ProcessRecord("c")))
    assert removals.by_hand(Bundle(str(tmp_path), "ns", "c")) == 0
