"""``containerd.services.content.v1``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import contents
from moorage_api.messages import content
from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore, Info, Reader
from moorage_sdk.metadata import Metadata
from moorage_services import lookups
from moorage_services.blobs import Blobs
from moorage_services.calls import Call, Handler, selected
from moorage_services.ingests import Ingest
from moorage_services.pools import Lane, Pool
from moorage_services.reclamations import Reclamation
from moorage_sys import allocations

CHUNK = 1 << 20
"""Bytes of one message of Read: containerd's buffer (contentserver.go), far below the limit of a message."""

PIECE = 4 * CHUNK
"""Bytes of the largest piece of memory that streams use up all the time: a chunk as grpc and protobuf pass it on."""


class ContentService:
    """``storage`` runs what is short, ``streams`` moves the bytes of blobs, which may wait for a slow disk."""

    name = "containerd.services.content.v1.Content"

    def __init__(self, metadata: Metadata, storage: Pool, streams: Pool) -> None:
        self._metadata = metadata
        self._storage = storage
        self._streams = streams
        self._small = Blobs()
        self._reclamation = Reclamation(storage, allocations.give_back)
        allocations.expect(PIECE)

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Info": self.info,
            "Update": self.update,
            "List": self.list,
            "Delete": self.delete,
            "Read": self.read,
            "Status": self.status,
            "ListStatuses": self.list_statuses,
            "Write": self.write,
            "Abort": self.abort,
        }

    async def info(self, request: content.InfoRequest, call: Call) -> content.InfoResponse:
        digests.validate(request.digest)
        return content.InfoResponse(info=contents.info_to_message(self._store(call).info(request.digest)))

    async def update(self, request: content.UpdateRequest, call: Call) -> content.UpdateResponse:
        info = Info(digests.validate(request.info.digest), labels=dict(request.info.labels))
        updated = await self._storage.run(self._store(call).update, info, tuple(request.update_mask.paths))
        return content.UpdateResponse(info=contents.info_to_message(updated))

    async def list(self, request: content.ListContentRequest, call: Call) -> None:
        store = self._store(call)
        # All of it in one go on the pool: a walk kept open for a slow reader would pin old pages of the store.
        found = await self._storage.run(lambda: selected(store.walk(), request.filters, lookups.info))
        await call.send_batches(found, _batch)

    async def delete(self, request: content.DeleteContentRequest, call: Call) -> Empty:
        await self._storage.run(self._store(call).delete, digests.validate(request.digest))
        return Empty()

    async def read(self, request: content.ReadContentRequest, call: Call) -> None:
        """Offsets in the answers count from the requested one. A range past the end is cut, a size of 0 is the rest."""
        digest, store = digests.validate(request.digest), self._store(call)
        start = self._remembered(store, digest, request)
        if start is None:
            start = await self._streams.run(_beginning, store, digest, request)
            if len(start.data) == start.size:
                self._small.keep(digest, start.data)
        if start.data:
            await call.send(content.ReadContentResponse(data=start.data))
        position = start.first + len(start.data)
        if position == start.end:
            return
        async with Lane(self._streams, lambda: store.reader(digest)) as lane:
            for offset in range(position, start.end, CHUNK):
                data = await lane.use(_read_at, offset, min(CHUNK, start.end - offset))
                await call.send(content.ReadContentResponse(offset=offset - start.first, data=data))

    async def status(self, request: content.StatusRequest, call: Call) -> content.StatusResponse:
        try:
            status = await self._storage.run(self._store(call).status, request.ref)
        except errors.Error as error:
            raise type(error)(f'could not get status for ref "{request.ref}": {error}') from None
        return content.StatusResponse(status=contents.status_to_message(status))

    async def list_statuses(self, request: content.ListStatusesRequest, call: Call) -> content.ListStatusesResponse:
        store = self._store(call)

        def answer() -> content.ListStatusesResponse:
            chosen = selected(store.statuses(), request.filters, lookups.status)
            return content.ListStatusesResponse(statuses=map(contents.status_to_message, chosen))

        return await self._storage.run(answer)

    async def write(self, requests: AsyncIterator[content.WriteContentRequest], call: Call) -> None:
        """The writer is closed, and its reference free, before the stream's status goes out, however it ends."""
        store = self._store(call)
        messages = aiter(requests)
        request = await anext(messages, None)
        if request is None:
            raise errors.InvalidArgument("first message must have a reference: invalid argument")
        with self._reclamation.stream():
            response = await self._written(store, request, messages, call)
        if response is not None:
            # Sent only now, so that a client that has its answer can open the reference again at once.
            await call.send(response)

    async def _written(
        self,
        store: ContentStore,
        first: content.WriteContentRequest,
        messages: AsyncIterator[content.WriteContentRequest],
        call: Call,
    ) -> content.WriteContentResponse | None:
        """Answer all messages but a COMMIT, which ends the stream and whose answer is returned."""
        request: content.WriteContentRequest | None = first
        opening = partial(Ingest, store, first)
        del first
        async with Lane(self._streams, opening) as lane:
            del opening
            try:
                while request is not None:
                    self._reclamation.moved(request.ByteSize())
                    response = await lane.use(Ingest.answer, request)
                    if request.action == content.COMMIT:
                        return response
                    await call.send(response)
                    request = await anext(messages, None)
            finally:
                # The frame of a call that was cancelled is garbage in a cycle until some collection, and must not keep
                # megabytes until then.
                request = None
        return None

    async def abort(self, request: content.AbortRequest, call: Call) -> Empty:
        await self._storage.run(self._store(call).abort, request.ref)
        return Empty()

    def _remembered(self, store: ContentStore, digest: str, request: content.ReadContentRequest) -> _Beginning | None:
        """A point read of the store and no file: that can be done on the loop. Raises as ``_beginning``."""
        data = self._small.get(digest)
        if data is None:
            return None
        store.info(digest)  # not every namespace sees what was read through another
        first, end = _range(request, len(data))
        return _Beginning(data[first:end], first, end, len(data))

    def _store(self, call: Call) -> ContentStore:
        return call.view(self._metadata).content


@dataclass(frozen=True)
class _Beginning:
    """The first piece of a range that goes from ``first`` to ``end`` of a blob of ``size`` bytes."""

    data: bytes
    first: int
    end: int
    size: int


def _beginning(store: ContentStore, digest: str, request: content.ReadContentRequest) -> _Beginning:
    """Raises errors.NotFound, errors.OutOfRange."""
    with closing(store.reader(digest)) as reader:
        first, end = _range(request, reader.size)
        return _Beginning(_read_at(reader, first, min(CHUNK, end - first)), first, end, reader.size)


def _range(request: content.ReadContentRequest, size: int) -> tuple[int, int]:
    """The requested range of a blob of that size. Raises errors.OutOfRange."""
    first = max(request.offset, 0)
    if first > size:
        raise errors.OutOfRange(f"read past object length {size} bytes: out of range")
    return first, min(first + request.size, size) if request.size > 0 else size


def _read_at(reader: Reader, offset: int, size: int) -> bytes:
    """``Reader.read_at`` itself would be the interface's empty method, not the store's."""
    return reader.read_at(offset, size)


def _batch(infos: Sequence[Info]) -> content.ListContentResponse:
    return content.ListContentResponse(info=map(contents.info_to_message, infos))
