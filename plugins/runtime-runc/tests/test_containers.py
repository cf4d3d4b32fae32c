from __future__ import annotations

import asyncio
import errno
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import errors
from moorage_sys import mountinfo


def test_kill_and_the_status_of_a_signal(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle("sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"))
        await node.call("Start")
        await asyncio.sleep(0.3)
        await node.call("Kill", signal=signal.SIGTERM)
        assert (await node.call("Wait")).exit_status == 3
        with pytest.raises(errors.NotFound, match="process already finished"):
            await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Delete")

        await node.create(node.bundle("sleep", "1000", name="d"), "d")
        await node.call("Start", "d")
        with pytest.raises(errors.FailedPrecondition, match="cannot delete a running process"):
            await node.call("Delete", "d")
        with pytest.raises(errors.FailedPrecondition, match="cannot start a running process"):
            await node.call("Start", "d")
        await node.call("Kill", "d", signal=signal.SIGKILL, all=True)
        assert (await node.call("Wait", "d")).exit_status == 137
        await node.call("Delete", "d")

    scenario(body)


def test_a_created_container_can_be_killed_or_deleted(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        with pytest.raises(errors.FailedPrecondition, match="cannot start a stopped process"):
            await node.call("Start")
        await node.call("Delete")

        await node.create(node.bundle(name="d"), "d")
        assert (await node.call("Delete", "d")).exit_status == 137
        await node.until_event("TaskDelete", container_id="d")
        assert node.names()[-3:] == ["TaskCreate", "TaskExit", "TaskDelete"]

    scenario(body)


def test_programs_that_run_at_the_very_end_find_the_root_file_system(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle, mount = mounted(node)
        seen = node.folder / "seen"
        spec = json.loads((bundle / "config.json").read_text())
        look = ["sh", "-c", f"ls {bundle}/rootfs/bin > {seen}"]
        spec["hooks"] = {"poststop": [{"path": "/bin/sh", "args": look}]}
        (bundle / "config.json").write_text(json.dumps(spec))
        await node.run(bundle, rootfs=[mount])
        assert "busybox" in seen.read_text().split()
        assert not mountinfo.beneath(str(bundle))

    scenario(body)


def test_a_delete_that_the_runtime_refuses_can_be_repeated(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle, mount = mounted(node)
        broken, options = node.folder / "runtime", runc_options.Options(root=node.runtime_root)
        broken.write_text(
            f'#!/bin/sh\ncase "$*" in *" delete "*) test -e {bundle}/fixed || exit 7;; esac\nexec runc "$@"\n'
        )
        broken.chmod(0o755)
        options.binary_name = str(broken)
        await node.create(bundle, rootfs=[mount], options=typeurls.pack(options))
        await node.call("Start")
        await node.call("Wait")
        with pytest.raises(errors.Error, match=r"OCI runtime delete failed: .*: 7"):
            await node.call("Delete")
        assert await node.status() == "STOPPED"
        (bundle / "fixed").touch()
        await node.call("Delete")
        assert not mountinfo.beneath(str(bundle))

    scenario(body)


def test_of_two_deletes_at_once_one_finds_nothing(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        await node.exec("e", "true")
        await node.call("Wait", exec_id="e")
        twice = (node.call("Delete", exec_id="e"), node.call("Delete", exec_id="e"))
        outcomes = await asyncio.gather(*twice, return_exceptions=True)
        assert [type(each) for each in outcomes].count(errors.NotFound) == 1
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        outcomes = await asyncio.gather(node.call("Delete"), node.call("Delete"), return_exceptions=True)
        assert [type(each) for each in outcomes].count(errors.NotFound) == 1
        await node.run(node.bundle("true", name="d"), "d")
        await node.until_event("TaskDelete", container_id="d")
        assert node.names().count("TaskDelete") == 2

    scenario(body)


def mounted(node: Any) -> tuple[Path, dict[str, Any]]:
    """A bundle whose root file system is mounted from beside it, and that mount."""
    bundle = node.bundle("true")
    source = bundle.parent / "source"
    (bundle / "rootfs").rename(source)
    return bundle, {"type": "bind", "source": str(source), "options": ["rbind", "rw"]}


def test_inits_exit_is_the_last(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        for number in range(4):
            await node.exec(f"e{number}", "sleep", "1000")
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        await node.until_event("TaskExit", id="c")
        exits = [event.id for event in node.events if event.DESCRIPTOR.name == "TaskExit"]
        assert exits[-1] == "c" and sorted(exits[:-1]) == ["e0", "e1", "e2", "e3"]
        await node.call("Delete")

    scenario(body)


def test_what_init_leaves_behind_in_a_shared_pid_namespace_is_killed(scenario: Any) -> None:
    async def body(node: Any) -> None:
        shared = [{"type": kind} for kind in ("ipc", "uts", "mount")]
        bundle = node.bundle("sh", "-c", "sleep 987 & sleep 0.3", namespaces=shared)
        await node.create(bundle)
        await node.call("Start")
        await node.exec("e", "sleep", "1000")
        await node.call("Wait")
        assert (await node.call("Wait", exec_id="e")).exit_status == 137
        assert not _running("sleep\0" + "987\0")
        await node.until_event("TaskExit", id="c")
        exits = [event.id for event in node.events if event.DESCRIPTOR.name == "TaskExit"]
        assert exits == ["e", "c"]
        await node.call("Delete")

    scenario(body)


def _running(command: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().decode() == command:
                return True
        except OSError as error:
            assert error.errno in (errno.ENOENT, errno.ESRCH)
    return False


def test_pause_resume_and_a_deadly_signal(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        with pytest.raises(errors.Error, match="cannot pause task in created state"):
            await node.call("Pause")
        await node.call("Start")
        await node.exec("e", "sleep", "1000")
        await node.call("Pause")
        assert await node.status() == await node.status(exec_id="e") == "PAUSED"
        for name, fields in (("Pause", {}), ("Start", {}), ("Delete", {})):
            with pytest.raises(errors.Error, match="paused"):
                await node.call(name, **fields)
        with pytest.raises(errors.FailedPrecondition, match="paused state"):
            await node.exec("f", "true")
        await node.call("Resume")
        assert await node.status() == "RUNNING"
        with pytest.raises(errors.Error, match="cannot resume a running process"):
            await node.call("Resume")
        await node.call("Pause")
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        assert await node.status() == "STOPPED"
        await node.call("Delete")
        await node.until_event("TaskDelete")
        assert [name for name in node.names() if name in ("TaskPaused", "TaskResumed")] == [
            "TaskPaused",
            "TaskResumed",
            "TaskPaused",
        ]

    scenario(body)
