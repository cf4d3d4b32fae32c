import inspect

from moorage_sdk.tasks import TASKS, Exit, Process, Status, Stdio, TaskManager


def test_states_have_the_numbers_of_the_wire() -> None:
    names = ["UNKNOWN", "CREATED", "RUNNING", "STOPPED", "PAUSED", "PAUSING"]
    assert [(status.name, int(status)) for status in Status] == [(name, i) for i, name in enumerate(names)]


def test_every_method_waits_on_the_loop() -> None:
    for name in TaskManager.__abstractmethods__:
        assert inspect.iscoroutinefunction(getattr(TaskManager, name)), name


def test_a_process_that_has_not_ended_says_so() -> None:
    process = Process("web", "", 1, Status.RUNNING, Stdio())
    assert (process.exit_status, process.exited_at) == (0, 0)
    assert Exit(255, 1) == Exit(255, 1, 0, "")


def test_the_slot_is_containerds() -> None:
    assert (TASKS.name, TASKS.type) == ("tasks", "io.containerd.runtime.v2")
