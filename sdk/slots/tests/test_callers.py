import contextvars
import time

from moorage_sdk import callers
from moorage_sdk.callers import Caller


def test_nobody_waits_unless_somebody_says_so() -> None:
    def work() -> Caller | None:
        return callers.current()

    assert work() is None
    caller, context = Caller(), contextvars.copy_context()
    context.run(callers.CURRENT.set, caller)
    assert context.run(work) is caller
    assert work() is None


def test_the_time_that_is_left() -> None:
    assert Caller().remaining() is None
    assert Caller(time.monotonic() - 5).remaining() == 0.0
    left = Caller(time.monotonic() + 600).remaining()
    assert left is not None
    assert 0 < left <= 600


def test_those_who_watch_learn_that_the_caller_has_gone() -> None:
    caller, told = Caller(), list[str]()
    with caller.watched(lambda: told.append("over before")):
        pass
    with caller.watched(lambda: told.append("meanwhile")):
        caller.leave()
        assert told == ["meanwhile"]
    with caller.watched(lambda: told.append("gone before")):
        assert told == ["meanwhile", "gone before"]
