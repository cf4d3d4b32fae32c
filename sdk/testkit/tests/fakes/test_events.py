"""The exchange in memory."""

import pytest

from moorage_sdk import errors
from moorage_sdk.events import Envelope, Payload
from moorage_testkit.fakes.events import MemoryExchange

EVENT = Payload("t", b"")


def test_subscribers_get_what_matches_from_now_on() -> None:
    exchange, woken = MemoryExchange(), list[int]()
    exchange.publish("ns", "/before", EVENT)
    all_of_it = exchange.subscribe(lambda: woken.append(1))
    some = exchange.subscribe(lambda: None, lambda envelope: envelope.namespace == "b")
    exchange.publish("a", "/x", EVENT)
    exchange.publish("b", "/y", EVENT)
    assert [each.topic for each in all_of_it.take()] == ["/x", "/y"]
    assert all_of_it.take() == []
    assert [each.topic for each in some.take()] == ["/y"]
    assert len(woken) == 2
    all_of_it.close()
    exchange.publish("a", "/z", EVENT)
    assert all_of_it.take() == []
    assert [each.topic for each in exchange.log] == ["/before", "/x", "/y", "/z"]


def test_who_falls_behind_is_told() -> None:
    exchange = MemoryExchange(limit=1)
    slow = exchange.subscribe(lambda: None)
    for _ in range(2):
        exchange.publish("a", "/x", EVENT)
    with pytest.raises(errors.ResourceExhausted):
        slow.take()


def test_what_an_exchange_refuses() -> None:
    exchange = MemoryExchange()
    with pytest.raises(errors.FailedPrecondition):
        exchange.publish("", "/x", EVENT)
    with pytest.raises(errors.InvalidArgument):
        exchange.publish("a", "x", EVENT)
    with pytest.raises(errors.InvalidArgument):
        exchange.forward(Envelope(0, "a", "/x", EVENT))
    assert exchange.log == []
