"""moorage's own service for garbage collection. Another daemon answers errors.Unimplemented."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from moorage_api.convert import timestamps
from moorage_api.messages import gc
from moorage_client.calls import Caller
from moorage_sdk.garbage import Explanation, Object, Plan, Removal, Step

SERVICE = "moorage.services.gc.v1.Gc"


class Garbage:
    """``plan`` and ``run`` go over all namespaces."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def why(self, wanted: Object) -> Explanation:
        """What keeps the object that ``wanted`` spells; an empty kind is any, an empty namespace the client's.

        Raises errors.NotFound, errors.InvalidArgument for what could be several objects.
        """
        message = gc.Object(kind=wanted.kind, namespace=wanted.namespace, key=wanted.key)
        answer = await self._caller.call(SERVICE, "Why", gc.WhyRequest(object=message))
        paths = (tuple(Step(_value(step.object), step.because) for step in path.steps) for path in answer.paths)
        return Explanation(_value(answer.object), tuple(paths))

    async def plan(self) -> Plan:
        """What a collection would do now."""
        return await _gathered(self._caller.receive(SERVICE, "Plan", gc.PlanRequest()))

    async def run(self) -> Plan:
        """Collect; what went, and what could not be removed."""
        return await _gathered(self._caller.receive(SERVICE, "Run", gc.RunRequest()))


async def _gathered(parts: AsyncIterator[Any]) -> Plan:
    removals: list[Removal] = []
    failures: list[str] = []
    next_expiry = 0
    async for part in parts:
        removals += (Removal(_value(each.object), each.size if each.measured else None) for each in part.removals)
        failures += part.failures
        next_expiry = timestamps.from_message(part.next_expiry) or next_expiry
    return Plan(tuple(removals), tuple(failures), next_expiry)


def _value(message: gc.Object) -> Object:
    return Object(message.kind, message.namespace, message.key)
