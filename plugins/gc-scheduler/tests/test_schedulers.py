import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from moorage_gc_scheduler import policies
from moorage_gc_scheduler.policies import Limits
from moorage_gc_scheduler.schedulers import Scheduler
from moorage_sdk import errors
from moorage_sdk.garbage import Object
from moorage_sdk.metadata import Change, Collection

QUIET = Limits(startup_delay=0.0)


def nth(run: int) -> tuple[Object, ...]:
    """What the collection of that number removes."""
    return (Object("run", "", str(run)),)


class Store:
    """As much of the metadata slot as the scheduler uses."""

    def __init__(self) -> None:
        self.runs = 0
        self.gate = threading.Event()
        self.gate.set()
        self.began = threading.Event()
        self.error: Exception | None = None
        self.next_expiry = 0
        self.failures: tuple[str, ...] = ()
        self.changed: Callable[[Change], None] = lambda change: None

    def watch(self, changed: Callable[[Change], None]) -> None:
        self.changed = changed

    def collect(self) -> Collection:
        self.runs += 1
        self.began.set()
        self.gate.wait(20)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        expiry, self.next_expiry = self.next_expiry, 0
        return Collection(removed=nth(self.runs), next_expiry=expiry, failures=self.failures)

    def wait_for_runs(self, number: int) -> None:
        deadline = time.monotonic() + 20
        while self.runs < number and time.monotonic() < deadline:
            time.sleep(0.002)
        assert self.runs >= number


@pytest.fixture
def started() -> Iterator[Callable[..., tuple[Any, Scheduler]]]:
    made: list[tuple[Store, Scheduler]] = []

    def start(limits: Limits = QUIET) -> tuple[Any, Scheduler]:
        store = Store()
        made.append((store, Scheduler(store, limits)))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for store, scheduler in made:
        store.gate.set()
        scheduler.stop()


def test_a_request_is_answered_with_what_was_done(started: Callable[..., tuple[Any, Scheduler]]) -> None:
    store, scheduler = started()
    assert scheduler.collect().result(20).removed == nth(1)
    assert scheduler.collect().result(20).removed == nth(2)
    assert store.runs == 2


def test_requests_that_come_during_a_collection_share_the_next(
    started: Callable[..., tuple[Any, Scheduler]],
) -> None:
    store, scheduler = started()
    store.gate.clear()
    first = scheduler.collect()
    assert store.began.wait(20)
    late = [scheduler.collect() for _ in range(5)]
    store.gate.set()
    assert first.result(20).removed == nth(1)
    assert {future.result(20).removed for future in late} == {nth(2)}


def test_startup_and_deletions_bring_collections(started: Callable[..., tuple[Any, Scheduler]]) -> None:
    store, _ = started(Limits(startup_delay=0.001))
    store.wait_for_runs(1)
    store.changed(Change.DELETION)
    store.wait_for_runs(2)


def test_expiry_brings_a_collection(started: Callable[..., tuple[Any, Scheduler]]) -> None:
    store, scheduler = started()
    store.next_expiry = time.time_ns() + 50_000_000
    scheduler.collect().result(20)
    store.wait_for_runs(2)


def test_a_failure_is_told_and_does_not_end_collecting(
    started: Callable[..., tuple[Any, Scheduler]], caplog: pytest.LogCaptureFixture
) -> None:
    store, scheduler = started()
    store.error = errors.Unavailable("store failed")
    with pytest.raises(errors.Unavailable, match="store failed"):
        scheduler.collect().result(20)
    assert "garbage collection failed" in caplog.text
    assert scheduler.collect().result(20).removed == nth(2)


def test_stopping_ends_the_thread_and_tells_those_who_wait(started: Callable[..., tuple[Any, Scheduler]]) -> None:
    store, scheduler = started()
    store.gate.clear()
    running = scheduler.collect()
    assert store.began.wait(20)
    waiting = scheduler.collect()
    stopper = threading.Thread(target=scheduler.stop)
    stopper.start()
    deadline = time.monotonic() + 20
    while not scheduler._stopping and time.monotonic() < deadline:
        time.sleep(0.001)
    store.gate.set()
    stopper.join(20)
    assert running.result(20).removed == nth(1)
    with pytest.raises(errors.Unavailable, match="stopping"):
        waiting.result(20)
    with pytest.raises(errors.Unavailable, match="stopping"):
        scheduler.collect()
    assert not scheduler._thread.is_alive()


def test_whoever_gave_up_waiting_hurts_nobody(started: Callable[..., tuple[Any, Scheduler]]) -> None:
    store, scheduler = started()
    store.gate.clear()
    scheduler.collect()
    assert store.began.wait(20)
    given_up, patient = scheduler.collect(), scheduler.collect()
    assert given_up.cancel()
    store.gate.set()
    assert patient.result(20).removed == nth(2)
    with pytest.raises(CancelledError):
        given_up.result(0)


def test_a_removal_that_failed_is_told_and_tried_again_though_nobody_asks(
    started: Callable[..., tuple[Any, Scheduler]], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "LONGEST_PAUSE", 0.01)
    store, scheduler = started()
    store.failures = ("snapshot overlayfs a/1/b: busy",)
    assert scheduler.collect().result(20).failures == store.failures
    store.wait_for_runs(3)
    assert "not collected, to be tried again: snapshot overlayfs a/1/b: busy" in caplog.text
