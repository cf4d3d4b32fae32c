"""The tasks service."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options, task_types, types
from moorage_api.messages import tasks as api
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.tasks import RESTORE_FROM, Stdio
from moorage_services.checkpoints import Checkpoints
from moorage_services.deprecations import Register
from moorage_services.drains import Drain
from moorage_services.pools import Pool
from moorage_services.tasks import TaskService
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks

SPEC = Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b'{"x":1}')
OPTIONS = Payload("containerd.runc.v1.Options", b"\x08\x01")


@dataclass
class House:
    service: TaskService
    manager: MemoryTasks


@pytest.fixture
def house(pool: Pool, tmp_path: Path) -> Callable[[], House]:
    def make() -> House:
        metadata, manager = MemoryMetadata(), MemoryTasks()
        view = metadata.view("ns")
        view.sandboxes.create(Sandbox("pod", Runtime("")))
        for id, sandbox in (("web", "pod"), ("stray", "unknown")):
            view.containers.create(Container(id, Runtime("io.containerd.runc.v2", OPTIONS), SPEC, sandbox=sandbox))
        return House(TaskService(metadata, manager, Checkpoints((), pool, tmp_path), Drain(), Register()), manager)

    return make


def create(**fields: Any) -> api.CreateTaskRequest:
    return api.CreateTaskRequest(container_id="web", **fields)


def test_a_task_is_made_from_its_container(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        request = create(
            stdin="/in",
            stdout="/out",
            stderr="/err",
            terminal=True,
            rootfs=[types.Mount(type="overlay", source="overlay", options=["lowerdir=/a"])],
            checkpoint=types.Descriptor(digest="d", annotations={RESTORE_FROM: "/image"}),
        )
        said = await here.service.create(request, call())
        made = here.manager.creation("ns", "web")
        assert (said.container_id, said.pid) == ("web", 100)
        assert (made.runtime, made.spec, made.sandbox) == ("io.containerd.runc.v2", b'{"x":1}', "pod")
        assert made.rootfs == (Mount("overlay", "overlay", ("lowerdir=/a",)),)
        assert made.stdio == Stdio("/in", "/out", "/err", True)
        assert (made.options, made.checkpoint) == (OPTIONS, Descriptor("", "d", 0, {RESTORE_FROM: "/image"}))

    asyncio.run(run())


def test_where_the_sandbox_is_may_be_told(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(create(task_api_address="ttrpc+unix:///x", task_api_version=3), call())
        made = here.manager.creation("ns", "web")
        assert (made.sandbox, made.address, made.version) == ("pod", "ttrpc+unix:///x", 3)

    asyncio.run(run())


def test_a_client_that_tells_it_by_options_of_runc_is_deprecated(
    call: Callable[..., Any], pool: Pool, tmp_path: Path
) -> None:
    metadata, register = MemoryMetadata(), Register()
    metadata.view("ns").containers.create(Container("web", Runtime("io.containerd.runc.v2"), SPEC))
    service = TaskService(metadata, MemoryTasks(), Checkpoints((), pool, tmp_path), Drain(), register)
    told = runc_options.Options(task_api_address="ttrpc+unix:///old")
    asyncio.run(service.create(create(options=typeurls.pack(told)), call()))
    assert [each.id.rpartition("/")[2] for each in register.met()] == ["runc-options-task-api-address"]


def test_a_sandbox_without_a_record_is_none(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(api.CreateTaskRequest(container_id="stray"), call())
        assert here.manager.creation("ns", "stray").sandbox == ""

    asyncio.run(run())


def test_the_request_may_bring_runtime_and_options_of_its_own(
    house: Callable[[], House], call: Callable[..., Any]
) -> None:
    async def run() -> None:
        here = house()
        options = typeurls.pack(runc_options.Options(binary_name="crun"))
        await here.service.create(create(runtime_path="/bin/shim", options=options), call())
        made = here.manager.creation("ns", "web")
        assert made.runtime == "/bin/shim"
        assert made.options == Payload("containerd.runc.v1.Options", options.value)
        assert made.checkpoint is None

    asyncio.run(run())


def test_options_of_an_unknown_type_are_invalid(house: Callable[[], House], call: Callable[..., Any]) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"io\.katacontainers"):
        asyncio.run(house().service.create(create(options=Packed(type_url="io.katacontainers.Options")), call()))


def test_a_container_without_a_spec_runs_nothing(call: Callable[..., Any], pool: Pool, tmp_path: Path) -> None:
    metadata = MemoryMetadata()
    metadata.view("ns").containers.records["web"] = Container("web", Runtime("r"))  # type: ignore[attr-defined]
    service = TaskService(metadata, MemoryTasks(), Checkpoints((), pool, tmp_path), Drain(), Register())
    with pytest.raises(errors.FailedPrecondition, match="has no spec"):
        asyncio.run(service.create(create(), call()))


def test_a_life(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here, service = house(), house().service
        service, manager = here.service, here.manager
        await service.create(create(stdout="/out"), call())
        assert (await service.start(api.StartRequest(container_id="web"), call())).pid == 100
        process = (await service.get(api.GetRequest(container_id="web"), call())).process
        # As in containerd, the container's id stands in ``id``, and ``container_id`` is not used.
        assert (process.id, process.container_id, process.status) == ("web", "", task_types.RUNNING)
        assert (process.stdout, process.exited_at.seconds) == ("/out", -62135596800)
        waiting = asyncio.create_task(service.wait(api.WaitRequest(container_id="web"), call()))
        await service.kill(api.KillRequest(container_id="web", signal=9, all=True), call())
        assert manager.told[-1] == ("kill", "web", "", 9, True)
        said = await waiting
        assert said.exit_status == 137
        deleted = await service.delete(api.DeleteTaskRequest(container_id="web"), call())
        assert (deleted.id, deleted.pid, deleted.exit_status) == ("", 100, 137)
        assert deleted.exited_at == said.exited_at
        with pytest.raises(errors.NotFound):
            await service.get(api.GetRequest(container_id="web"), call())

    asyncio.run(run())


def test_execs(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        service, to = here.service, {"container_id": "web", "exec_id": "e"}
        await service.create(create(), call())
        spec = Packed(type_url="p", value=b"{}")
        await service.exec(api.ExecProcessRequest(**to, spec=spec, terminal=True), call())
        assert here.manager.told == [("exec", "web", "e", Payload("p", b"{}"))]
        with pytest.raises(errors.AlreadyExists):
            await service.exec(api.ExecProcessRequest(**to, spec=spec), call())
        process = (await service.get(api.GetRequest(**to), call())).process
        assert (process.id, process.terminal) == ("e", True)
        await service.start(api.StartRequest(**to), call())
        here.manager.exit("ns", "web", "e", 4)
        assert (await service.wait(api.WaitRequest(**to), call())).exit_status == 4
        deleted = await service.delete_process(api.DeleteProcessRequest(**to), call())
        assert (deleted.id, deleted.exit_status) == ("e", 4)
        for refused in (
            service.exec(api.ExecProcessRequest(container_id="web"), call()),
            service.delete_process(api.DeleteProcessRequest(container_id="web"), call()),
        ):
            with pytest.raises(errors.InvalidArgument, match="exec id"):
                await refused

    asyncio.run(run())


def test_what_is_only_passed_on(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        service = here.service
        await service.create(create(), call())
        await service.resize(api.ResizePtyRequest(container_id="web", exec_id="", width=80, height=25), call())
        await service.close_io(api.CloseIORequest(container_id="web", stdin=True), call())
        resources = Packed(type_url="r", value=b"{}")
        await service.update(
            api.UpdateTaskRequest(container_id="web", resources=resources, annotations={"a": "b"}), call()
        )
        assert here.manager.told == [
            ("resize", "web", "", 80, 25),
            ("close_io", "web", "", True),
            ("update", "web", Payload("r", b"{}"), {"a": "b"}),
        ]
        await service.pause(api.PauseTaskRequest(container_id="web"), call())
        assert (await service.get(api.GetRequest(container_id="web"), call())).process.status == task_types.PAUSED
        await service.resume(api.ResumeTaskRequest(container_id="web"), call())
        assert (await service.get(api.GetRequest(container_id="web"), call())).process.status == task_types.RUNNING

    asyncio.run(run())


def test_pids_carry_details_of_execs_only(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(create(), call())
        await here.service.exec(api.ExecProcessRequest(container_id="web", exec_id="e"), call())
        found = (await here.service.list_pids(api.ListPidsRequest(container_id="web"), call())).processes
        assert [(each.pid, each.info.type_url) for each in found] == [
            (100, ""),
            (101, "containerd.runc.v1.ProcessDetails"),
        ]
        assert not found[0].HasField("info")

    asyncio.run(run())


def test_lists_ignore_their_filter_and_need_a_namespace(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(create(), call())
        found = await here.service.list(api.ListTasksRequest(filter="id==nothing"), call())
        assert [each.id for each in found.tasks] == ["web"]
        assert not (await here.service.list(api.ListTasksRequest(), call("other"))).tasks
        with pytest.raises(errors.FailedPrecondition):
            await here.service.list(api.ListTasksRequest(), call(""))

    asyncio.run(run())


def test_metrics_leave_out_who_does_not_tell(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(create(), call())

        async def ids(*filters: str) -> list[str]:
            return [
                each.id for each in (await here.service.metrics(api.MetricsRequest(filters=filters), call())).metrics
            ]

        assert await ids() == await ids("id==web") == await ids("namespace==ns") == ["web"]
        assert await ids("id==other") == []
        here.manager.failing_stats.add("web")
        assert await ids() == []

    asyncio.run(run())


def test_the_container_is_looked_up_first(house: Callable[[], House], call: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        await here.service.create(create(), call())
        here.service._metadata.view("ns").containers.delete("web")
        for gone in (
            here.service.get(api.GetRequest(container_id="web"), call()),
            here.service.kill(api.KillRequest(container_id="web", signal=9), call()),
            here.service.delete(api.DeleteTaskRequest(container_id="web"), call()),
        ):
            with pytest.raises(errors.NotFound, match="container"):
                await gone

    asyncio.run(run())
