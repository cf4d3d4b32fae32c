import pytest

from moorage_events_exchange.subscriptions import BoundedSubscription
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Payload


def envelope(number: int) -> Envelope:
    return Envelope(number, "default", f"/n/{number}", Payload("t", b""))


class Reader:
    def __init__(self, limit: int = 3, match: object = lambda envelope: True, size: int = 1 << 20) -> None:
        self.wakes = 0
        self.closed: list[BoundedSubscription] = []
        self.subscription = BoundedSubscription(self.wake, match, limit, size, self.closed.append)  # type: ignore[arg-type]

    def wake(self) -> None:
        self.wakes += 1


def test_wakes_once_until_all_was_taken() -> None:
    reader = Reader()
    reader.subscription.offer(envelope(1))
    reader.subscription.offer(envelope(2))
    assert reader.wakes == 1
    assert [each.timestamp for each in reader.subscription.take()] == [1, 2]
    assert reader.subscription.take() == []
    reader.subscription.offer(envelope(3))
    assert reader.wakes == 2


def test_a_reader_that_falls_behind_is_told_and_gets_nothing_more() -> None:
    reader = Reader(limit=3)
    for number in range(10):
        reader.subscription.offer(envelope(number))
    assert reader.wakes == 2
    for _ in range(2):
        with pytest.raises(errors.ResourceExhausted, match="more than 3 events"):
            reader.subscription.take()


def test_large_events_fill_a_queue_before_many_do() -> None:
    large = Envelope(1, "default", "/n", Payload("t", bytes(1000)))
    reader = Reader(limit=100, size=2000)
    for _ in range(20):
        reader.subscription.offer(large)
        assert reader.subscription.take() == [large]  # what was taken does not count any more
    reader.subscription.offer(large)
    reader.subscription.offer(large)
    with pytest.raises(errors.ResourceExhausted, match="2000 bytes unread"):
        reader.subscription.take()


def test_one_event_may_be_of_any_size() -> None:
    large = Envelope(1, "default", "/n", Payload("t", bytes(5000)))
    reader = Reader(size=100)
    reader.subscription.offer(large)
    assert reader.subscription.take() == [large]


def test_only_what_matches_is_queued_and_a_broken_filter_matches_nothing(caplog: pytest.LogCaptureFixture) -> None:
    even = Reader(limit=100, match=lambda envelope: envelope.timestamp % 2 == 0)
    broken = Reader(match=lambda envelope: 1 / 0)
    for number in range(6):
        even.subscription.offer(envelope(number))
        broken.subscription.offer(envelope(number))
    assert [each.timestamp for each in even.subscription.take()] == [0, 2, 4]
    assert broken.subscription.take() == []
    assert "ZeroDivisionError" in caplog.text


def test_closing_forgets_once() -> None:
    reader = Reader()
    reader.subscription.offer(envelope(1))
    reader.subscription.close()
    reader.subscription.close()
    reader.subscription.offer(envelope(2))
    assert reader.closed == [reader.subscription]
    assert reader.subscription.take() == []


def test_a_reader_that_cannot_be_woken_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def wake() -> None:
        raise RuntimeError("loop is closed")

    subscription = BoundedSubscription(wake, lambda envelope: True, 3, 1 << 20, lambda subscription: None)
    subscription.offer(envelope(1))
    assert "loop is closed" in caplog.text
    assert len(subscription.take()) == 1
