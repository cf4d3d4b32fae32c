"""``moorage.services.gc.v1``: what keeps an object, what a collection would remove, and a collection right now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from moorage_api.convert import timestamps
from moorage_api.messages import gc
from moorage_sdk.collectors import Collector
from moorage_sdk.garbage import Explanation, Object, Planner, Removal
from moorage_sdk.namespaces import required
from moorage_services.calls import BATCH, Call, Handler
from moorage_services.pools import Pool


class GarbageService:
    name = "moorage.services.gc.v1.Gc"

    def __init__(self, planner: Planner, collector: Collector, storage: Pool) -> None:
        self._planner = planner
        self._collector = collector
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {"Why": self.why, "Plan": self.plan, "Run": self.run}

    async def why(self, request: gc.WhyRequest, call: Call) -> gc.WhyResponse:
        wanted = request.object
        namespace = required(wanted.namespace or call.namespace)
        found = await self._storage.run(self._planner.why, Object(wanted.kind, namespace, wanted.key))
        return _explanation(found)

    async def plan(self, request: gc.PlanRequest, call: Call) -> None:
        plan = await self._storage.run(self._planner.plan)
        next_expiry = timestamps.to_message(plan.next_expiry) if plan.next_expiry else None
        for part in _parts(plan.removals):
            await call.send(gc.PlanResponse(removals=part))
        await call.send(gc.PlanResponse(failures=plan.failures, next_expiry=next_expiry))

    async def run(self, request: gc.RunRequest, call: Call) -> None:
        """Planned first, because only before it is removed can be asked how big a thing is."""
        plan = await self._storage.run(self._planner.plan)
        sizes = {removal.object: removal.size for removal in plan.removals}
        done = await asyncio.wrap_future(self._collector.collect())
        next_expiry = timestamps.to_message(done.next_expiry) if done.next_expiry else None
        for part in _parts(Removal(each, sizes.get(each, 0 if each.namespace else None)) for each in done.removed):
            await call.send(gc.RunResponse(removals=part))
        await call.send(gc.RunResponse(failures=done.failures, next_expiry=next_expiry))


def _parts(removals: Iterable[Removal]) -> Iterable[Sequence[gc.Removal]]:
    messages = [
        gc.Removal(object=_object(each.object), size=each.size or 0, measured=each.size is not None)
        for each in removals
    ]
    return (messages[start : start + BATCH] for start in range(0, len(messages), BATCH))


def _explanation(found: Explanation) -> gc.WhyResponse:
    paths = [
        gc.Path(steps=[gc.Step(object=_object(step.object), because=step.because) for step in path])
        for path in found.paths
    ]
    return gc.WhyResponse(object=_object(found.object), paths=paths)


def _object(value: Object) -> gc.Object:
    return gc.Object(kind=value.kind, namespace=value.namespace, key=value.key)
