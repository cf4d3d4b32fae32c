"""What clients are told that come back after the daemon."""

import time

import pytest

from moorage_events_exchange.arrears import Arrears
from moorage_sdk.events import Envelope, Payload


def event(timestamp: int, topic: str = "/tasks/exit") -> Envelope:
    return Envelope(timestamp, "default", topic, Payload("containerd.events.TaskExit", b""))


def test_what_happened_to_tasks_before_the_start_is_kept_in_order() -> None:
    before = time.time_ns()
    arrears = Arrears()
    old = [event(before - 2), event(before - 1, "/tasks/delete")]
    for each in (*old, event(time.time_ns()), event(before - 1, "/images/create")):
        arrears.keep(each)
    assert arrears.owed() == tuple(old)
    assert arrears.owed() == tuple(old), "everybody who comes back is told"


def test_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    arrears = Arrears(grace=10)
    arrears.keep(event(1))
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 11)
    assert arrears.owed() == ()
    arrears.keep(event(2))
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert arrears.owed() == (), "what was too late is not kept either"


def test_not_without_bound() -> None:
    arrears = Arrears(limit=2)
    for number in range(5):
        arrears.keep(event(number))
    assert [each.timestamp for each in arrears.owed()] == [3, 4]
