import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from moorage_restart_monitor import policies, tasks
from moorage_restart_monitor.tasks import Restarter, creation_of
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.tasks import Creation, Exit, Status, Stdio
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks

OPTIONS = Payload("containerd.runc.v1.Options", b"told")


def container(spec: Any = None, **fields: Any) -> Container:
    value = spec if isinstance(spec, bytes) else json.dumps(spec or {"process": {}}).encode()
    return Container("c", Runtime("io.containerd.runc.v2", OPTIONS), Payload("spec", value), **fields)


class Snapshots:
    def mounts(self, key: str) -> tuple[Mount, ...]:
        return (Mount("overlay", "overlay", (f"upperdir=/{key}",)),)


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata({"overlayfs": Snapshots()})  # type: ignore[dict-item]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_creation_is_what_the_record_says(metadata: MemoryMetadata) -> None:
    labels = {policies.LOG_URI: "file:///log"}
    made = creation_of(metadata.view("ns"), container(snapshotter="overlayfs", snapshot_key="k", labels=labels))
    assert made == Creation(
        id="c",
        runtime="io.containerd.runc.v2",
        spec=b'{"process": {}}',
        rootfs=(Mount("overlay", "overlay", ("upperdir=/k",)),),
        stdio=Stdio("", "file:///log", "file:///log"),
        options=OPTIONS,
    )


def test_a_terminal_has_one_stream(metadata: MemoryMetadata) -> None:
    spec = {"process": {"terminal": True}}
    view = metadata.view("ns")
    assert creation_of(view, container(spec)).stdio == Stdio(terminal=True)
    logged = container(spec, labels={policies.LOG_URI: "binary:///bin/log"})
    assert creation_of(view, logged).stdio == Stdio("", "binary:///bin/log", "", True)


def test_mounts_carry_the_label_of_the_specification(metadata: MemoryMetadata) -> None:
    labelled = container({"linux": {"mountLabel": "a:b:c"}}, snapshotter="overlayfs", snapshot_key="k")
    (mount,) = creation_of(metadata.view("ns"), labelled).rootfs
    assert mount.options == ("upperdir=/k", 'context="a:b:c"')


def test_a_sandbox_counts_if_it_has_a_record(metadata: MemoryMetadata) -> None:
    view = metadata.view("ns")
    assert creation_of(view, container(sandbox="pod")).sandbox == ""
    view.sandboxes.create(Sandbox("pod", Runtime("r")))
    assert creation_of(view, container(sandbox="pod")).sandbox == "pod"


def test_the_old_label_of_logs_is_told_of(metadata: MemoryMetadata, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = creation_of(metadata.view("ns"), container(labels={policies.LOG_PATH: "/log"}))
    assert made.stdio == Stdio()
    assert "restart.logpath has no effect" in caplog.text


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (container(b"no json"), errors.InvalidArgument),
        (container(b"[" * 100_000), errors.InvalidArgument),
        (container(b"[]"), errors.InvalidArgument),
        (container(snapshot_key="k"), errors.InvalidArgument),
        (container(snapshot_key="k", snapshotter="none"), errors.InvalidArgument),
        (Container("c", Runtime("r")), errors.FailedPrecondition),
    ],
)
def test_records_that_nothing_can_be_made_of(
    metadata: MemoryMetadata, made: Container, kind: type[errors.Error]
) -> None:
    with pytest.raises(kind, match=r'container "c"|snapshotter "none"'):
        creation_of(metadata.view("ns"), made)


def play(
    metadata: MemoryMetadata, pool: ThreadPoolExecutor, scene: Callable[[Restarter, MemoryTasks], Awaitable[None]]
) -> None:
    async def run() -> None:
        manager = MemoryTasks()
        await scene(Restarter(metadata, manager, pool), manager)

    asyncio.run(run())


def count(metadata: MemoryMetadata) -> str | None:
    return metadata.view("ns").containers.get("c").labels.get(policies.COUNT)


def test_a_task_takes_the_place_of_the_last_one(metadata: MemoryMetadata, pool: ThreadPoolExecutor) -> None:
    metadata.view("ns").containers.create(container(labels={policies.COUNT: "4", "kept": "yes"}))

    async def scene(restarter: Restarter, manager: MemoryTasks) -> None:
        await restarter.start("ns", "c")
        first = await manager.get("ns", "c")
        assert first.status is Status.RUNNING
        manager.exit("ns", "c", status=1)
        await restarter.start("ns", "c")
        second = await manager.get("ns", "c")
        assert (second.status, second.pid == first.pid) == (Status.RUNNING, False)

    play(metadata, pool, scene)
    assert metadata.view("ns").containers.get("c").labels == {policies.COUNT: "6", "kept": "yes"}


def test_what_still_lives_is_killed_with_all_its_processes(metadata: MemoryMetadata, pool: ThreadPoolExecutor) -> None:
    metadata.view("ns").containers.create(container())

    async def scene(restarter: Restarter, manager: MemoryTasks) -> None:
        await manager.create("ns", creation_of(metadata.view("ns"), container()))
        await restarter.start("ns", "c")
        assert manager.told == [("kill", "c", "", 9, True)]
        await restarter.stop("ns", "c")
        await restarter.stop("ns", "c")
        with pytest.raises(errors.NotFound):
            await manager.get("ns", "c")

    play(metadata, pool, scene)


def test_a_start_that_fails_is_counted(metadata: MemoryMetadata, pool: ThreadPoolExecutor) -> None:
    metadata.view("ns").containers.create(container(snapshotter="none", snapshot_key="k"))

    async def scene(restarter: Restarter, manager: MemoryTasks) -> None:
        with pytest.raises(errors.InvalidArgument):
            await restarter.start("ns", "c")
        assert manager.processes == {}

    play(metadata, pool, scene)
    assert count(metadata) == "1"


def test_a_container_that_is_gone_is_not_made_again(metadata: MemoryMetadata, pool: ThreadPoolExecutor) -> None:
    async def scene(restarter: Restarter, manager: MemoryTasks) -> None:
        with pytest.raises(errors.NotFound):
            await restarter.start("ns", "c")

    play(metadata, pool, scene)


def test_why_a_task_cannot_be_ended_is_told(
    metadata: MemoryMetadata, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "PATIENCE", 0.01)
    metadata.view("ns").containers.create(container())

    class Stubborn(MemoryTasks):
        async def kill(self, *args: Any, **options: Any) -> None:
            return

        async def wait(self, namespace: str, id: str, exec_id: str = "") -> Exit:
            await asyncio.Event().wait()
            raise AssertionError

    async def run() -> None:
        manager = Stubborn()
        restarter = Restarter(metadata, manager, pool)
        await restarter.start("ns", "c")
        with pytest.raises(errors.DeadlineExceeded, match="does not end though it was killed"):
            await restarter.start("ns", "c")

    asyncio.run(run())
