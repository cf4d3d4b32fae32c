"""The Diff service: layers to snapshots and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moorage_api.convert import descriptors, mounts
from moorage_api.convert.payloads import to_map
from moorage_api.messages import diff
from moorage_client.calls import Caller
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount

SERVICE = "containerd.services.diff.v1.Diff"


class Diffs:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def apply(
        self, layer: Descriptor, target: Sequence[Mount], *, payloads: Mapping[str, Payload] | None = None
    ) -> Descriptor:
        """Unpack a layer onto mounts. Returns the descriptor of the uncompressed tar; its digest is the diff id.

        ``payloads`` are for the daemon's stream processors by their id, such as keys of encrypted layers.
        """
        request = diff.ApplyRequest(
            diff=descriptors.to_message(layer),
            mounts=mounts.to_messages(target),
            payloads=to_map(payloads or {}),
        )
        return descriptors.from_message((await self._caller.call(SERVICE, "Apply", request)).applied)

    async def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Write what turns ``lower`` into ``upper`` as a layer blob."""
        request = diff.DiffRequest(
            left=mounts.to_messages(lower),
            right=mounts.to_messages(upper),
            media_type=media_type,
            ref=ref,
            labels=labels or {},
        )
        return descriptors.from_message((await self._caller.call(SERVICE, "Diff", request)).diff)
