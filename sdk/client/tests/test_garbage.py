from typing import Any

import pytest

from moorage_api.convert import timestamps
from moorage_api.messages import gc
from moorage_client.clients import Client
from moorage_client.garbage import SERVICE
from moorage_sdk import errors
from moorage_sdk.garbage import Explanation, Object, Plan, Removal, Step

NAME = Object("content", "default", "sha256:abc")
MESSAGE = gc.Object(kind="content", namespace="default", key="sha256:abc")


def test_all_methods(talk: Any) -> None:
    asked: list[Any] = []

    async def why(request: Any, context: Any) -> Any:
        asked.append((request.object.kind, request.object.namespace, request.object.key))
        step = gc.Step(object=MESSAGE, because="label x")
        return gc.WhyResponse(object=MESSAGE, paths=[gc.Path(steps=[step])])

    async def plan(request: Any, context: Any) -> None:
        await context.write(gc.PlanResponse(removals=[gc.Removal(object=MESSAGE, measured=True)]))
        await context.write(gc.PlanResponse(removals=[gc.Removal(object=gc.Object(kind="blob", key="k"))]))
        await context.write(gc.PlanResponse(failures=["f"], next_expiry=timestamps.to_message(7)))

    async def run(request: Any, context: Any) -> None:
        await context.write(gc.RunResponse(removals=[gc.Removal(object=MESSAGE, size=9, measured=True)]))

    async def work(client: Client) -> None:
        assert await client.garbage.why(Object("", "", "abc")) == Explanation(NAME, ((Step(NAME, "label x"),),))
        expected = Plan((Removal(NAME, 0), Removal(Object("blob", "", "k"), None)), ("f",), 7)
        assert await client.garbage.plan() == expected
        assert await client.garbage.run() == Plan((Removal(NAME, 9),))

    talk({SERVICE: {"Why": why, "Plan": plan, "Run": run}}, work)
    assert asked == [("", "", "abc")]


def test_a_daemon_that_is_not_ours_says_so(talk: Any) -> None:
    async def work(client: Client) -> None:
        with pytest.raises(errors.Unimplemented):
            await client.garbage.plan()

    talk({}, work)
