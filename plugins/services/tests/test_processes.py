"""Processes between messages and values."""

import pytest
from google.protobuf.any_pb2 import Any

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options, task_types, tasks
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.tasks import Exit, Process, Status, Stdio
from moorage_services import processes


@pytest.mark.parametrize(("exec_id", "id"), [("", "web"), ("e", "e")])
def test_the_message_names_the_exec_or_the_container(exec_id: str, id: str) -> None:
    stdio = Stdio("/in", "/out", "/err", True)
    message = processes.to_message(Process("web", exec_id, 7, Status.STOPPED, stdio, 3, 5_000_000_001))
    assert (message.id, message.container_id, message.pid, message.status) == (id, "", 7, task_types.STOPPED)
    assert processes.stdio(message) == stdio
    assert (message.exit_status, message.exited_at.seconds, message.exited_at.nanos) == (3, 5, 1)


@pytest.mark.parametrize("given", ["", "../x", "a/b", "a" * 77])
def test_exec_ids_are_identifiers(given: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="exec id"):
        processes.exec_id(given)
    assert processes.exec_id("e-1") == "e-1"


def test_options_are_those_of_a_runtime_or_none() -> None:
    assert processes.options("r", Any()) is None
    for name in ("containerd.runc.v1.Options", "runtimeoptions.v1.Options"):
        assert processes.options("r", Any(type_url=name, value=b"x")) == Payload(name, b"x")
    with pytest.raises(errors.InvalidArgument, match='runtime "r"'):
        processes.options("r", Any(type_url="other"))


def test_a_deletion_of_a_task_has_no_id() -> None:
    wanted = tasks.DeleteResponse(pid=7, exit_status=3)
    wanted.exited_at.seconds = 5
    assert processes.deletion(Exit(3, 5_000_000_000, 7, "web")) == wanted
    wanted.id = "e"
    assert processes.deletion(Exit(3, 5_000_000_000, 7, "e"), "e") == wanted


def test_where_the_sandbox_is_may_stand_in_runcs_options_too() -> None:
    assert processes.task_api(tasks.CreateTaskRequest()) == ("", 0)
    old = typeurls.pack(runc_options.Options(task_api_address="ttrpc+unix:///old", task_api_version=2))
    assert processes.task_api(tasks.CreateTaskRequest(options=old)) == ("ttrpc+unix:///old", 2)
    both = tasks.CreateTaskRequest(options=old, task_api_address="ttrpc+unix:///new", task_api_version=3)
    assert processes.task_api(both) == ("ttrpc+unix:///new", 3)
    assert processes.task_api(tasks.CreateTaskRequest(options=Any(type_url="other", value=b"x"))) == ("", 0)
