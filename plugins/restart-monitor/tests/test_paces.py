import time

import pytest

from moorage_restart_monitor.paces import FIRST, SETTLING, STEADY, Pace, settling
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Process, Status


def loop(pace: Pace, now: float, times: int, lasts: float) -> tuple[list[float], float]:
    """The pauses before so many restarts of a container that runs ``lasts`` seconds each time, and the time after."""
    pauses = []
    for _ in range(times):
        pause = pace.down(now)
        pauses.append(pause)
        now += pause
        assert pace.down(now) == 0
        pace.started(now)
        now += lasts
    return pauses, now


def test_who_ends_at_once_waits_longer_each_time() -> None:
    assert loop(Pace(10), 100.0, 7, 0.1)[0] == [1, 2, 4, 8, 10, 10, 10]


def test_never_longer_than_the_interval() -> None:
    assert loop(Pace(0.5), 0.0, 4, 0.0)[0] == [0.5] * 4
    assert set(loop(Pace(60), 0.0, 2000, 0.0)[0][6:]) == {60}


def test_who_ran_well_is_started_as_the_first_time() -> None:
    pace = Pace(10)
    _, now = loop(pace, 0.0, 5, 0.1)
    assert pace.down(now) == 10
    pace.started(now + 10)
    pace.up(now + 15)
    assert pace.down(now + 10 + STEADY) == FIRST


def test_running_well_counts_while_it_is_seen_to_run() -> None:
    pace = Pace(10)
    _, now = loop(pace, 0.0, 3, 0.1)
    pace.up(now + STEADY)
    assert pace.down(now + STEADY + 1) == FIRST


def test_time_that_has_passed_counts() -> None:
    pace = Pace(10)
    assert pace.down(5.0) == 1.0
    assert pace.down(5.75) == 0.25
    assert pace.down(9.0) == 0.0
    pace.up(9.5)  # somebody started it
    assert pace.down(20.0) == 1.0


def container(age: float) -> Container:
    return Container("c", Runtime("r"), updated_at=int((time.time() - age) * 1e9))


@pytest.mark.parametrize("process", [None, Process("c", "", 7, Status.CREATED)])
def test_who_made_the_record_may_be_about_to_start_it(process: Process | None) -> None:
    assert SETTLING - 2 < settling(container(1.0), process) <= SETTLING - 1
    assert settling(container(SETTLING + 1), process) == 0
    assert settling(container(-3600.0), process) == 0  # the clock was set back


@pytest.mark.parametrize("status", [Status.STOPPED, Status.UNKNOWN, Status.RUNNING])
def test_what_was_started_is_nobodys_business_any_more(status: Status) -> None:
    assert settling(container(0.0), Process("c", "", 7, status)) == 0
