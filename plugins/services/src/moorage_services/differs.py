"""``containerd.services.diff.v1``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from moorage_api.convert import descriptors, mounts
from moorage_api.messages import diff
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.metadata import Metadata
from moorage_sdk.namespaces import within
from moorage_services.calls import Call, Handler
from moorage_services.pools import Pool


class DiffService:
    """``differs`` are tried in order until one knows the media type. ``layers`` is a pool for minutes of work."""

    name = "containerd.services.diff.v1.Diff"

    def __init__(self, metadata: Metadata, differs: Sequence[Differ], layers: Pool, *, sync: bool = False) -> None:
        self._metadata = metadata
        self._differs = tuple(differs)
        self._layers = layers
        self._sync = sync

    def handlers(self) -> Mapping[str, Handler]:
        return {"Apply": self.apply, "Diff": self.diff}

    async def apply(self, request: diff.ApplyRequest, call: Call) -> diff.ApplyResponse:
        layer = descriptors.from_message(request.diff)
        plan = mounts.from_messages(request.mounts)
        store = call.view(self._metadata).content
        sync = request.sync_fs or self._sync
        payloads = {id: payload.SerializeToString() for id, payload in request.payloads.items()}

        def unpack(differ: Differ) -> Descriptor:
            return differ.apply(layer, plan, store, sync=sync, payloads=payloads)

        applied = await self._first(call.namespace, layer.media_type, unpack)
        return diff.ApplyResponse(applied=descriptors.to_message(applied))

    async def diff(self, request: diff.DiffRequest, call: Call) -> diff.DiffResponse:
        lower, upper = mounts.from_messages(request.left), mounts.from_messages(request.right)
        store = call.view(self._metadata).content
        media_type = request.media_type or OCI_LAYER_GZIP
        epoch = request.source_date_epoch.seconds if request.HasField("source_date_epoch") else None
        labels = dict(request.labels)

        def compare(differ: Differ) -> Descriptor:
            return differ.compare(
                lower, upper, store, media_type=media_type, ref=request.ref, labels=labels, source_date_epoch=epoch
            )

        return diff.DiffResponse(diff=descriptors.to_message(await self._first(call.namespace, media_type, compare)))

    async def _first(self, namespace: str, media_type: str, work: Callable[[Differ], Descriptor]) -> Descriptor:
        refusal = errors.Unimplemented(f'layer of type "{media_type}": no differ is loaded: not implemented')
        for differ in self._differs:
            try:
                return await self._layers.run(work, within(differ, namespace))
            except errors.Unimplemented as error:
                refusal = error
        raise refusal
