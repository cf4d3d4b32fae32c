import json
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import payloads, timestamps, typeurls
from moorage_api.messages import events, task_types, tasks, types
from moorage_client.clients import Client
from moorage_client.tasks import SERVICE
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Exit, Process, Status, Stdio


def test_the_life_of_a_task(talk: Any) -> None:
    async def create(request: tasks.CreateTaskRequest, context: Any) -> tasks.CreateTaskResponse:
        assert (request.container_id, request.stdin, request.stdout, request.terminal) == ("c", "i", "o", True)
        assert request.rootfs[0].source == "/s"
        assert request.options.type_url == "containerd.events.TaskStart"
        return tasks.CreateTaskResponse(container_id="c", pid=7)

    async def start(request: tasks.StartRequest, context: Any) -> tasks.StartResponse:
        return tasks.StartResponse(pid=8 if request.exec_id else 7)

    async def wait(request: tasks.WaitRequest, context: Any) -> tasks.WaitResponse:
        return tasks.WaitResponse(exit_status=137, exited_at=timestamps.to_message(5))

    async def delete(request: tasks.DeleteTaskRequest, context: Any) -> tasks.DeleteResponse:
        return tasks.DeleteResponse(pid=7, exit_status=137, exited_at=timestamps.to_message(5))

    async def work(client: Client) -> None:
        options = payloads.of(events.TaskStart())
        stdio = Stdio("i", "o", "", terminal=True)
        assert await client.tasks.create("c", [Mount("bind", "/s")], stdio, options) == 7
        assert await client.tasks.start("c") == 7
        assert await client.tasks.start("c", "e") == 8
        assert await client.tasks.wait("c") == Exit(137, 5, id="c")
        assert await client.tasks.wait("c", "e") == Exit(137, 5, id="e")
        assert await client.tasks.delete("c") == Exit(137, 5, 7, "c")

    talk({SERVICE: {"Create": create, "Start": start, "Wait": wait, "Delete": delete}}, work)


def test_what_can_be_done_to_one(talk: Any) -> None:
    log: list[Any] = []

    def noting(name: str, *fields: str) -> Any:
        async def method(request: Any, context: Any) -> Empty:
            log.append((name, *(getattr(request, field) for field in fields)))
            return Empty()

        return method

    async def exec_(request: tasks.ExecProcessRequest, context: Any) -> Empty:
        assert request.spec.type_url == typeurls.PROCESS
        log.append(("exec", request.exec_id, json.loads(request.spec.value)))
        return Empty()

    async def delete_process(request: Any, context: Any) -> tasks.DeleteResponse:
        return tasks.DeleteResponse(id=request.exec_id, exit_status=3)

    async def update(request: tasks.UpdateTaskRequest, context: Any) -> Empty:
        assert request.resources.type_url == typeurls.LINUX_RESOURCES
        log.append(("update", json.loads(request.resources.value)))
        return Empty()

    async def work(client: Client) -> None:
        await client.tasks.exec("c", "e", {"args": ["x"]})
        await client.tasks.kill("c", 9, exec_id="e", all=True)
        await client.tasks.pause("c")
        await client.tasks.resume("c")
        await client.tasks.resize("c", "e", 80, 24)
        await client.tasks.close_stdin("c", "e")
        await client.tasks.update("c", {"pids": {"limit": 5}})
        assert (await client.tasks.delete_process("c", "e")).status == 3

    handlers = {
        "Exec": exec_,
        "Kill": noting("kill", "container_id", "exec_id", "signal", "all"),
        "Pause": noting("pause", "container_id"),
        "Resume": noting("resume", "container_id"),
        "ResizePty": noting("resize", "exec_id", "width", "height"),
        "CloseIO": noting("close", "container_id", "exec_id", "stdin"),
        "Update": update,
        "DeleteProcess": delete_process,
    }
    talk({SERVICE: handlers}, work)
    assert log == [
        ("exec", "e", {"args": ["x"]}),
        ("kill", "c", "e", 9, True),
        ("pause", "c"),
        ("resume", "c"),
        ("resize", "e", 80, 24),
        ("close", "c", "e", True),
        ("update", {"pids": {"limit": 5}}),
    ]


def test_what_can_be_known(talk: Any) -> None:
    process = task_types.Process(id="c", pid=7, status=task_types.RUNNING, stdout="o")

    async def get(request: Any, context: Any) -> tasks.GetResponse:
        if request.exec_id:
            return tasks.GetResponse(process=task_types.Process(container_id="c", id="e", pid=8))
        return tasks.GetResponse(process=process)

    async def list_(request: Any, context: Any) -> tasks.ListTasksResponse:
        stopped = task_types.Process(
            container_id="d", id="d", status=task_types.STOPPED, exit_status=1, exited_at=timestamps.to_message(4)
        )
        return tasks.ListTasksResponse(tasks=[process, stopped])

    async def pids(request: Any, context: Any) -> tasks.ListPidsResponse:
        return tasks.ListPidsResponse(processes=[task_types.ProcessInfo(pid=7), task_types.ProcessInfo(pid=9)])

    async def metrics(request: Any, context: Any) -> tasks.MetricsResponse:
        data = typeurls.pack(events.TaskStart())
        return tasks.MetricsResponse(metrics=[types.Metric(id="c", data=data), types.Metric(id="empty")])

    async def work(client: Client) -> None:
        running = Process("c", "", 7, Status.RUNNING, Stdio(stdout="o"))
        assert await client.tasks.get("c") == running
        assert (await client.tasks.get("c", "e")).exec_id == "e"
        assert await client.tasks.list() == [
            running,
            Process("d", "", 0, Status.STOPPED, exit_status=1, exited_at=4),
        ]
        assert [each.pid for each in await client.tasks.pids("c")] == [7, 9]
        assert list(await client.tasks.metrics(["id==c"])) == ["c"]

    talk({SERVICE: {"Get": get, "List": list_, "ListPids": pids, "Metrics": metrics}}, work)
