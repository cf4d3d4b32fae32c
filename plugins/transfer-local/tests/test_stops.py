from __future__ import annotations

import threading
import time

import pytest

from moorage_sdk import errors
from moorage_transfer_local.stops import Stop


def test_waiting_ends_when_the_client_goes() -> None:
    gone = threading.Event()
    stop = Stop(gone.is_set)
    threading.Timer(0.05, gone.set).start()
    began = time.monotonic()
    with pytest.raises(errors.Cancelled):
        stop.wait(60)
    assert time.monotonic() - began < 30


def test_waiting_returns_in_time() -> None:
    Stop().wait(0.01)


def test_stopping_calls_back_once() -> None:
    calls: list[int] = []
    stop = Stop()
    stop.on_stop(lambda: calls.append(1))
    stop.check()
    stop.stop()
    stop.stop()
    assert calls == [1]
    assert stop.stopped
    with pytest.raises(errors.Cancelled):
        stop.check()
