"""A content store in another process, as ``core/content/proxy`` in containerd v2.3 speaks to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from moorage_api.convert import contents
from moorage_api.messages import content
from moorage_proxy.peers import Peer
from moorage_proxy.readers import ProxyReader
from moorage_proxy.scopes import NOBODY, Scope
from moorage_proxy.writers import SERVICE, ProxyWriter
from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore, Info, Reader, Status, Writer


class ProxyStore(ContentStore):
    """Blobs and ingests as the peer has them for a scope."""

    def __init__(self, peer: Peer, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._scope = scope

    def within(self, namespace: str) -> Self:
        """``moorage_sdk.namespaces.Namespaced``."""
        return type(self)(self._peer, self._scope.within(namespace))

    def info(self, digest: str) -> Info:
        return contents.info_from_message(self._call("Info", content.InfoRequest(digest=digests.validate(digest))).info)

    def walk(self) -> Iterator[Info]:
        # All of it at once: the peer may hold a transaction open for as long as somebody reads. And peers promise no
        # order.
        answers = self._peer.receive(SERVICE, "List", content.ListContentRequest(), self._scope)
        found = [contents.info_from_message(info) for answer in answers for info in answer.info]
        return iter(sorted(found, key=lambda info: info.digest))

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        told = content.Info(digest=digests.validate(info.digest), labels=info.labels)
        return contents.info_from_message(
            self._call("Update", content.UpdateRequest(info=told, update_mask=FieldMask(paths=paths))).info
        )

    def delete(self, digest: str) -> None:
        self._call("Delete", content.DeleteContentRequest(digest=digests.validate(digest)))

    def reader(self, digest: str) -> Reader:
        return ProxyReader(self._peer, digest, self.info(digest).size, self._scope)

    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        if not ref:
            raise errors.InvalidArgument("ref must not be empty: invalid argument")
        first = content.WriteContentRequest(
            action=content.STAT, ref=ref, total=size, expected=digests.validate(expected) if expected else ""
        )
        return ProxyWriter(self._peer, first, self._scope.of(ref))

    def status(self, ref: str) -> Status:
        return contents.status_from_message(self._call("Status", content.StatusRequest(ref=ref), ref).status)

    def statuses(self) -> list[Status]:
        answer = self._call("ListStatuses", content.ListStatusesRequest())
        return sorted(map(contents.status_from_message, answer.statuses), key=lambda each: each.ref)

    def abort(self, ref: str) -> None:
        self._call("Abort", content.AbortRequest(ref=ref), ref)

    def _call(self, method: str, request: Message, ref: str = "") -> Any:
        return self._peer.call(SERVICE, method, request, self._scope.of(ref))
