from __future__ import annotations

import asyncio
import errno
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import cgroups1, cgroups2, runc_options, runtime_options, shim_v2, shim_v3
from moorage_sdk import errors
from moorage_sys import mountinfo


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


def test_many_short_ones_announce_their_start_first(scenario: Any) -> None:
    async def body(node: Any) -> None:
        async def one(id: str) -> None:
            assert (await node.run(node.bundle("true", name=id), id)).exit_status == 0

        await asyncio.gather(*(one(f"c{number}") for number in range(12)))
        for number in range(12):
            await node.until_event("TaskDelete", container_id=f"c{number}")
            of_this = [event.DESCRIPTOR.name for event in node.events if event.container_id == f"c{number}"]
            assert of_this == ["TaskCreate", "TaskStart", "TaskExit", "TaskDelete"]

    scenario(body)


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


def test_the_runtimes_words_reach_the_client_and_nothing_is_left(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("/no/such/program")
        with pytest.raises(errors.Error, match=r"^OCI runtime create failed: .*no such file or directory"):
            await node.create(bundle)
        with pytest.raises(errors.NotFound):
            await node.status()
        assert {each.name for each in bundle.iterdir()} == {"config.json", "rootfs"}
        with pytest.raises(errors.Error, match=r'create failed: .*"program": executable file not found in \$PATH'):
            await node.create(node.bundle("program", name="d"), "d")
        with pytest.raises(errors.Error, match=r'create failed: "no-such-runtime": No such file'):
            options = typeurls.pack(runc_options.Options(binary_name="no-such-runtime"))
            await node.create(node.bundle(name="e"), "e", options=options)
        await node.run(node.bundle("true", name="f"), "f")
        assert "c" not in [event.container_id for event in node.events]

    scenario(body)


def test_names_and_namespaces(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle()
        await node.create(bundle)
        with pytest.raises(errors.AlreadyExists):
            await node.create(bundle)
        with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
            await node.call("State", namespace="")
        with pytest.raises(errors.NotFound):
            await node.call("State", namespace="other")
        with pytest.raises(errors.InvalidArgument):
            await node.create(bundle, "../evil")
        with pytest.raises(errors.InvalidArgument, match="absolute"):
            await node.create(Path("relative"), "d")
        connected = await node.call("Connect")
        assert connected.shim_pid == node.process.pid
        assert connected.task_pid == (await node.call("State")).pid
        assert (await node.call("Connect", "unknown")).task_pid == 0
        await node.call("Delete")

    scenario(body)


def test_execs(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        pid = await node.exec("e", "sh", "-c", "exit 9")
        assert (await node.call("Wait", exec_id="e")).exit_status == 9
        assert await node.status(exec_id="e") == "STOPPED"
        with pytest.raises(errors.NotFound, match="process already finished"):
            await node.call("Kill", exec_id="e", signal=9)
        with pytest.raises(errors.AlreadyExists):
            await node.exec("e", "true")
        deleted = await node.call("Delete", exec_id="e")
        assert (deleted.pid, deleted.exit_status) == (pid, 9)
        with pytest.raises(errors.NotFound):
            await node.call("Delete", exec_id="e")
        await node.exec("e", "sleep", "1000")
        with pytest.raises(errors.FailedPrecondition, match="running process"):
            await node.call("Delete", exec_id="e")
        await node.call("Kill", exec_id="e", signal=signal.SIGTERM)
        assert (await node.call("Wait", exec_id="e")).exit_status == 143
        await node.call("Delete", exec_id="e")
        await node.until_event("TaskExit", id="e", exit_status=143)
        names = [each for each in node.names() if each != "TaskCreate"]
        assert names[1:7] == ["TaskExecAdded", "TaskExecStarted", "TaskExit"] * 2
        await node.call("Kill", signal=9)

    scenario(body)


def test_execs_that_cannot_be(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        spec = typeurls.pack_json(typeurls.PROCESS, {"args": ["nothing"], "cwd": "/", "env": ["PATH=/bin"]})
        with pytest.raises(errors.InvalidArgument):
            await node.call("Exec", exec_id="", spec=spec)
        with pytest.raises(errors.InvalidArgument):
            await node.call("Exec", exec_id="a/b", spec=spec)
        with pytest.raises(errors.InvalidArgument, match="process spec"):
            await node.call("Exec", exec_id="x", spec=typeurls.pack(runc_options.Options(root="{")))
        leaky = typeurls.pack_json(typeurls.PROCESS, {"args": ["ls"], "cwd": "/proc/self/fd/7"})
        with pytest.raises(errors.InvalidArgument, match="among file descriptors"):
            await node.call("Exec", exec_id="x", spec=leaky)
        await node.call("Exec", exec_id="e", spec=spec)
        with pytest.raises(errors.FailedPrecondition, match="process not created"):
            await node.call("Kill", exec_id="e", signal=9)
        with pytest.raises(errors.Error, match=r"OCI runtime exec failed: .*executable file not found in \$PATH"):
            await node.call("Start", exec_id="e")
        await node.call("Delete", exec_id="e")
        with pytest.raises(errors.NotFound):
            await node.call("Wait", exec_id="f")
        await node.call("Exec", exec_id="f", spec=spec)
        waiting = asyncio.create_task(node.call("Wait", exec_id="f"))
        await asyncio.sleep(0.05)
        await node.call("Delete", exec_id="f")
        with pytest.raises(errors.NotFound, match="before it was started"):
            await waiting
        await node.call("Kill", signal=9)
        await node.call("Wait")
        with pytest.raises(errors.FailedPrecondition, match="stopped state"):
            await node.call("Exec", exec_id="g", spec=spec)

    scenario(body)


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


def test_rootfs_is_mounted_and_unmounted(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("sh", "-c", "echo here > /found")
        source = bundle.parent / "source"
        (bundle / "rootfs").rename(source)
        mount = {"type": "bind", "source": str(source), "options": ["rbind", "rw"]}
        await node.create(bundle, rootfs=[mount])
        assert _is_mounted(bundle / "rootfs")
        await node.call("Start")
        await node.call("Wait")
        await node.call("Delete")
        assert not _is_mounted(bundle / "rootfs")
        assert (source / "found").read_text() == "here\n"
        event = await node.until_event("TaskCreate")
        assert event.rootfs[0].source == str(source)
        with pytest.raises(errors.Error, match="failed to mount rootfs component"):
            await node.create(bundle, rootfs=[{"type": "bind", "source": "/no/such", "options": ["rbind"]}])
        assert not _is_mounted(bundle / "rootfs")
        missing = node.bundle("/nothing", name="d")
        (missing / "rootfs").rename(missing.parent / "source2")
        with pytest.raises(errors.Error, match="OCI runtime create failed"):
            await node.create(missing, "d", rootfs=[{**mount, "source": str(missing.parent / "source2")}])
        assert not _is_mounted(missing / "rootfs")

    scenario(body)


def _is_mounted(path: Path) -> bool:
    return bool(mountinfo.beneath(str(path)))


def test_options_in_toml_and_unknown_ones(scenario: Any) -> None:
    async def body(node: Any) -> None:
        toml = f'BinaryName = "{node.binary}"\nRoot = "/run/moorage-test-runc"\n'.encode()
        packed = typeurls.pack(runtime_options.Options(config_body=toml))
        await node.create(node.bundle("true"), options=packed)
        assert Path("/run/moorage-test-runc/test/c").is_dir()
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
