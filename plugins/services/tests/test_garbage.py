"""The service that explains garbage collection."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from moorage_api.messages import gc as api
from moorage_sdk import errors
from moorage_sdk.collectors import Collector
from moorage_sdk.garbage import Explanation, Object, Plan, Removal, Step
from moorage_sdk.metadata import Collection
from moorage_services.garbage import GarbageService
from moorage_services.pools import Pool

NAME = Object("snapshot", "ns", "overlayfs/a")
DATA = Object("snapshot", "", "overlayfs ns/1/a")
LATE = Object("blob", "", "sha256:late")


class Known:
    """A planner; ``asked`` is what it was asked about."""

    def __init__(self) -> None:
        self.asked: list[Object] = []
        self.planned = Plan((Removal(NAME), Removal(DATA, 7)), ("content: gone",), 1_000_000_007)

    def plan(self) -> Plan:
        return self.planned

    def why(self, wanted: Object) -> Explanation:
        self.asked.append(wanted)
        if wanted.key == "none":
            raise errors.NotFound("none: not found")
        root = Step(Object("container", "ns", "web"), "root")
        return Explanation(NAME, ((root, Step(NAME, "snapshot")),))


class Collecting(Collector):
    def __init__(self, done: Collection) -> None:
        self.done = done

    def collect(self) -> Future[Collection]:
        future: Future[Collection] = Future()
        future.set_result(self.done)
        return future


def made(pool: Pool, planner: Known, done: Collection | None = None) -> GarbageService:
    return GarbageService(planner, Collecting(done or Collection()), pool)


def removals(call: Any) -> list[tuple[str, int, bool]]:
    found = [removal for message in call.wire.sent for removal in message.removals]
    return [(removal.object.key, removal.size, removal.measured) for removal in found]


def test_why(pool: Pool, call: Callable[..., Any]) -> None:
    planner = Known()

    async def run() -> None:
        service = made(pool, planner)
        answer = await service.why(api.WhyRequest(object=api.Object(kind="snapshot", key="a")), call())
        assert (answer.object.kind, answer.object.namespace, answer.object.key) == ("snapshot", "ns", "overlayfs/a")
        assert [[(step.object.key, step.because) for step in path.steps] for path in answer.paths] == [
            [("web", "root"), ("overlayfs/a", "snapshot")]
        ]
        await service.why(api.WhyRequest(object=api.Object(namespace="other", key="b")), call())
        with pytest.raises(errors.NotFound):
            await service.why(api.WhyRequest(object=api.Object(key="none")), call())
        with pytest.raises(errors.FailedPrecondition):
            await service.why(api.WhyRequest(object=api.Object(key="x")), call(namespace=""))

    asyncio.run(run())
    assert planner.asked == [Object("snapshot", "ns", "a"), Object("", "other", "b"), Object("", "ns", "none")]


def test_a_plan(pool: Pool, call: Callable[..., Any]) -> None:
    one = call()
    asyncio.run(made(pool, Known()).plan(api.PlanRequest(), one))
    assert removals(one) == [(NAME.key, 0, True), (DATA.key, 7, True)]
    last = one.wire.sent[-1]
    assert list(last.failures) == ["content: gone"]
    assert (last.next_expiry.seconds, last.next_expiry.nanos) == (1, 7)


def test_a_plan_of_many_comes_in_parts(pool: Pool, call: Callable[..., Any]) -> None:
    planner, one = Known(), call()
    planner.planned = Plan(tuple(Removal(Object("lease", "ns", str(number))) for number in range(250)))
    asyncio.run(made(pool, planner).plan(api.PlanRequest(), one))
    assert [len(message.removals) for message in one.wire.sent] == [100, 100, 50, 0]
    assert not one.wire.sent[-1].HasField("next_expiry")


def test_a_run_tells_what_went_with_the_sizes_that_were_planned(pool: Pool, call: Callable[..., Any]) -> None:
    one = call()
    done = Collection((NAME, Object("lease", "ns", "new"), DATA, LATE), ("snapshot overlayfs b: busy",))
    asyncio.run(made(pool, Known(), done).run(api.RunRequest(), one))
    assert removals(one) == [(NAME.key, 0, True), ("new", 0, True), (DATA.key, 7, True), (LATE.key, 0, False)]
    assert list(one.wire.sent[-1].failures) == ["snapshot overlayfs b: busy"]
