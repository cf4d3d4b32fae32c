from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from moorage_sdk import errors
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.stops import Stop


def free(flights: Flights, key: str) -> bool:
    """Whether the key can be had without waiting."""
    try:
        with flights.hold(key, Stop(lambda: True)):
            return True
    except errors.Cancelled:
        return False


def test_a_key_is_held_by_one_at_a_time() -> None:
    flights, inside, most = Flights(), [0], [0]

    def work(_: int) -> None:
        with flights.hold("key", Stop()):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            threading.Event().wait(0.002)
            inside[0] -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert most == [1]


def test_other_keys_do_not_wait() -> None:
    flights = Flights()
    with flights.hold("a", Stop()):
        assert free(flights, "b")


def test_who_is_cancelled_does_not_wait_and_leaves_the_key_to_its_holder() -> None:
    flights = Flights()
    with flights.hold("a", Stop()):
        assert not free(flights, "a")
    assert free(flights, "a")


def test_a_key_is_free_after_a_failure() -> None:
    flights = Flights()
    with pytest.raises(ValueError, match="x"):
        with flights.hold("a", Stop()):
            raise ValueError("x")
    assert free(flights, "a")


def test_places_are_limited_and_given_back() -> None:
    places = Places(1)
    with places.take(Stop()):
        with pytest.raises(errors.Cancelled):
            with places.take(Stop(lambda: True)):
                raise AssertionError("two in one place")
    with places.take(Stop(lambda: True)):
        assert not places.try_take()


def test_a_place_can_be_tried_for() -> None:
    places = Places(1)
    assert places.try_take()
    assert not places.try_take()
    places.give_back()
    assert places.try_take()


def test_there_is_at_least_one_place() -> None:
    places = Places(0)
    assert places.try_take()
    assert not places.try_take()
