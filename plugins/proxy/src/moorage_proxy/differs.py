"""A differ in another process, as ``core/diff/proxy`` in containerd v2.3 speaks to one.

The bytes of layers do not pass through here: the peer reads and writes the daemon's content store by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.convert import descriptors, mounts
from moorage_api.messages import diff
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.mounts import Mount

SERVICE = "containerd.services.diff.v1.Diff"


class ProxyDiffer(Differ):
    """``scope`` says whose content the peer works with."""

    def __init__(self, peer: Peer, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._scope = scope

    def within(self, namespace: str) -> Self:
        """``moorage_sdk.namespaces.Namespaced``."""
        return type(self)(self._peer, self._scope.within(namespace))

    def apply(
        self,
        layer: Descriptor,
        plan: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        request = diff.ApplyRequest(
            diff=descriptors.to_message(layer),
            mounts=mounts.to_messages(plan),
            payloads={id: Any.FromString(payload) for id, payload in (payloads or {}).items()},
            sync_fs=sync,
        )
        return descriptors.from_message(self._peer.call(SERVICE, "Apply", request, self._scope).applied)

    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        request = diff.DiffRequest(
            left=mounts.to_messages(lower),
            right=mounts.to_messages(upper),
            media_type=media_type,
            ref=ref,
            labels=labels or {},
            source_date_epoch=None if source_date_epoch is None else Timestamp(seconds=source_date_epoch),
        )
        return descriptors.from_message(self._peer.call(SERVICE, "Diff", request, self._scope).diff)
