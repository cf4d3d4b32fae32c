from __future__ import annotations

from typing import Any

import pytest

from moorage_api.convert import timestamps
from moorage_api.messages import events
from moorage_testkit.lives import Lives


def tell(*told: Any) -> Lives:
    lives = Lives()
    for at, event in enumerate(told, 1):
        lives.hear(at, event)
    return lives


def create(id: str = "c", pid: int = 10) -> Any:
    return events.TaskCreate(container_id=id, pid=pid)


def start(id: str = "c", pid: int = 10) -> Any:
    return events.TaskStart(container_id=id, pid=pid)


def added(exec_id: str = "e") -> Any:
    return events.TaskExecAdded(container_id="c", exec_id=exec_id)


def begun(exec_id: str = "e", pid: int = 11) -> Any:
    return events.TaskExecStarted(container_id="c", exec_id=exec_id, pid=pid)


def exit(id: str = "c", pid: int = 10, status: int = 3) -> Any:
    return events.TaskExit(
        container_id="c", id=id, pid=pid, exit_status=status, exited_at=timestamps.to_message(1_000_000_007)
    )


def delete(pid: int = 10, status: int = 3) -> Any:
    at = timestamps.to_message(1_000_000_007)
    return events.TaskDelete(container_id="c", pid=pid, exit_status=status, exited_at=at)


def test_lives_as_they_are_lived() -> None:
    whole = [create(), start(), added(), begun(), added("f"), exit("e", 11), added(), begun(pid=12), exit("e", 12)]
    paused = [events.TaskPaused(container_id="c"), events.TaskResumed(container_id="c")]
    lives = tell(*whole, *paused, exit(), delete(), create(), exit(), delete(), create("d"))
    lives.assert_told()
    assert lives.open == ["d"]
    assert [event.pid for event in lives.exits["c", "e"]] == [11, 12]
    assert len(lives.exits["c", ""]) == lives.deleted["c"] == 2


def test_what_is_not_about_tasks_does_not_matter() -> None:
    tell(events.ContainerCreate(id="c"), create(), events.TaskOOM(container_id="d")).assert_told()


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ([start()], "there is none"),
        ([create(), create()], "there is one already"),
        ([create(), start(), start()], "too late"),
        ([create(), exit(), start()], "too late"),
        ([create(), start(pid=11)], "pid 11 and not 10"),
        ([create(), start(), begun()], "it was not added"),
        ([create(), start(), added(), exit("e", 11)], '"e" does not run'),
        ([create(), start(), added(), begun(), begun()], "it was not added"),
        ([create(), start(), added(), begun(), added()], "it runs"),
        ([create(), start(), added(), begun(), exit("e", 12)], "pid 12 and not 11"),
        ([create(), start(), added(), begun(), exit("e", 11), exit("e", 11)], '"e" does not run'),
        ([create(), start(), added(), begun(), exit()], "before those of ['e']"),
        ([create(), start(), added(), exit(), begun()], "after init's exit"),
        ([create(), start(), exit(), added()], "after init's exit"),
        ([create(), start(), exit(), exit()], "does not run"),
        ([create(), start(), delete()], "before the exit"),
        ([create(), start(), exit(), delete(status=4)], "not as the exit"),
        ([create(), exit(), delete(), exit()], "there is none"),
        ([create(), events.TaskPaused(container_id="c")], "it does not run"),
        ([create(), start(), events.TaskResumed(container_id="c")], "it was not paused"),
    ],
)
def test_what_is_out_of_order(told: list[Any], fault: str) -> None:
    lives = tell(*told)
    assert len(lives.faults) == 1
    with pytest.raises(AssertionError) as raised:
        lives.assert_told()
    assert fault in str(raised.value)


def test_time_does_not_go_back() -> None:
    lives = Lives()
    lives.hear(2, create())
    lives.hear(1, start())
    lives.hear(1, create("d"))  # of another container
    assert lives.faults == ['TaskStart of "c": is older than the event before it']
