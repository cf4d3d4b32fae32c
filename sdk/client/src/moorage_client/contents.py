"""The Content service: blobs by digest, and the ingests that become blobs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.calling import Stream
from moorage_api.convert import contents, timestamps
from moorage_api.messages import content
from moorage_client.calls import Caller
from moorage_sdk import digests, errors
from moorage_sdk.content import Info, Status
from moorage_sdk.descriptors import Descriptor

SERVICE = "containerd.services.content.v1.Content"
CHUNK = 1 << 20
"""Bytes per message, written and read; a message may have 16 MiB (defaults/defaults.go)."""

_ATTEMPTS = 20
"""Tries to get a reference that another writer has, up to half a second apart."""


class Contents:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def info(self, digest: str) -> Info:
        """Raises errors.NotFound, errors.InvalidArgument."""
        answer = await self._caller.call(SERVICE, "Info", content.InfoRequest(digest=digest))
        return contents.info_from_message(answer.info)

    async def walk(self, filters: Sequence[str] = ()) -> AsyncIterator[Info]:
        """All blobs, by digest."""
        request = content.ListContentRequest(filters=filters)
        async for answer in self._caller.receive(SERVICE, "List", request):
            for message in answer.info:
                yield contents.info_from_message(message)

    async def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        """Change labels, all of them (no paths) or those named. Raises errors.NotFound, errors.InvalidArgument."""
        message = content.Info(digest=info.digest, labels=info.labels)
        request = content.UpdateRequest(info=message, update_mask=FieldMask(paths=paths))
        return contents.info_from_message((await self._caller.call(SERVICE, "Update", request)).info)

    async def label(self, digest: str, labels: Mapping[str, str]) -> None:
        """Add labels and leave the others alone; an empty value removes one. Raises errors.NotFound."""
        if labels:
            await self.update(Info(digest, labels=labels), [f"labels.{key}" for key in labels])

    async def delete(self, digest: str) -> None:
        """Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Delete", content.DeleteContentRequest(digest=digest))

    async def read(self, digest: str, offset: int = 0, size: int = 0) -> AsyncIterator[bytes]:
        """The bytes of a blob in pieces; ``size`` 0 is to the end. Raises errors.NotFound, errors.OutOfRange."""
        request = content.ReadContentRequest(digest=digest, offset=offset, size=size)
        async for answer in self._caller.receive(SERVICE, "Read", request):
            yield answer.data

    async def read_whole(self, descriptor: Descriptor, limit: int) -> bytes:
        """A small blob, checked against its descriptor.

        Raises errors.NotFound, errors.ResourceExhausted for one over ``limit`` bytes, errors.DataLoss when the bytes
        are not what the digest says.
        """
        data = bytearray()
        async for piece in self.read(descriptor.digest):
            data += piece
            if len(data) > limit:
                raise errors.ResourceExhausted(f'content "{descriptor.digest}": larger than {limit} bytes')
        algorithm, _ = digests.split(descriptor.digest)
        if digests.of(bytes(data), algorithm) != descriptor.digest:
            raise errors.DataLoss(f'content "{descriptor.digest}": damaged: data loss')
        return bytes(data)

    async def status(self, ref: str) -> Status:
        """Of an ingest. Raises errors.NotFound."""
        answer = await self._caller.call(SERVICE, "Status", content.StatusRequest(ref=ref))
        return contents.status_from_message(answer.status)

    async def statuses(self, filters: Sequence[str] = ()) -> list[Status]:
        """All ingests, by reference."""
        answer = await self._caller.call(SERVICE, "ListStatuses", content.ListStatusesRequest(filters=filters))
        return [contents.status_from_message(message) for message in answer.statuses]

    async def abort(self, ref: str) -> None:
        """Throw an ingest away. Raises errors.NotFound."""
        await self._caller.call(SERVICE, "Abort", content.AbortRequest(ref=ref))

    @asynccontextmanager
    async def writer(self, ref: str, *, size: int = 0, expected: str = "") -> AsyncIterator[Writer]:
        """Open or resume an ingest for the length of a ``with`` block.

        Raises errors.AlreadyExists when the blob ``expected`` exists, errors.Unavailable while another writer has it.
        """
        async with self._caller.open(SERVICE, "Write") as stream:
            writer = Writer(stream, ref, size, expected)
            await writer.open()
            yield writer

    async def write(
        self,
        ref: str,
        pieces: AsyncIterable[bytes],
        *,
        size: int = 0,
        expected: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Store a blob from its first byte on; its digest. A blob that exists is left as it is.

        Raises errors.FailedPrecondition when size or digest are not as promised; the ingest is thrown away then.
        """
        attempts = 0
        while True:
            try:
                return await self._write(ref, pieces, size, expected, labels or {})
            except errors.AlreadyExists:
                if expected:
                    return expected
                raise
            except errors.Unavailable as error:
                attempts += 1
                if "locked" not in error.message or attempts == _ATTEMPTS:
                    raise
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def _write(
        self, ref: str, pieces: AsyncIterable[bytes], size: int, expected: str, labels: Mapping[str, str]
    ) -> str:
        try:
            async with self.writer(ref, size=size, expected=expected) as writer:
                if writer.offset and writer.offset != size:
                    await writer.truncate()
                if not size or writer.offset != size:
                    async for piece in pieces:
                        await writer.write(piece)
                return await writer.commit(size, expected, labels)
        except errors.FailedPrecondition:
            await self._discard(ref)
            raise

    async def _discard(self, ref: str) -> None:
        try:
            await self.abort(ref)
        except (errors.NotFound, errors.Unavailable):
            return


class Writer:
    """An open ingest. ``offset`` is how many bytes it has."""

    def __init__(self, stream: Stream, ref: str, total: int, expected: str) -> None:
        self.ref = ref
        self._stream = stream
        self._first = content.WriteContentRequest(action=content.STAT, ref=ref, total=total, expected=expected)
        self.offset = 0
        self.digest = ""

    async def open(self) -> None:
        """Take the reference's lock and learn where the ingest stands."""
        await self._ask(self._first)

    async def status(self) -> Status:
        """The state as of now; ``digest`` is that of the bytes so far afterwards."""
        answer = await self._ask(content.WriteContentRequest(action=content.STAT))
        return Status(
            ref=self.ref,
            offset=answer.offset,
            total=answer.total,
            started_at=timestamps.from_message(answer.started_at),
            updated_at=timestamps.from_message(answer.updated_at),
        )

    async def write(self, data: bytes) -> None:
        """Append. Raises errors.ResourceExhausted when the disk is full, errors.AlreadyExists as ``writer`` does."""
        for start in range(0, len(data), CHUNK):
            request = content.WriteContentRequest(
                action=content.WRITE, offset=self.offset, data=data[start : start + CHUNK]
            )
            self.offset = (await self._exchange(request)).offset

    async def truncate(self) -> None:
        """Begin again: a write at offset 0 drops what was there."""
        answer = await self._exchange(content.WriteContentRequest(action=content.WRITE, offset=0))
        self.offset = answer.offset

    async def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        """Make the ingest a blob; its digest.

        The offset goes along: a commit at offset 0 would truncate. Raises errors.FailedPrecondition when size or
        digest differ, errors.AlreadyExists when the blob exists.
        """
        request = content.WriteContentRequest(
            action=content.COMMIT, offset=self.offset, total=size, expected=expected, labels=labels or {}
        )
        return str((await self._exchange(request)).digest)

    async def close(self) -> None:
        """End the stream and keep the ingest. The reference is free when this returns, which a mere hang-up is not.

        Says nothing of how the stream ended: what failed has been told where it did.
        """
        with suppress(errors.Error):
            await self._stream.done_sending()
            while await self._stream.receive() is not None:
                continue

    async def _ask(self, request: content.WriteContentRequest) -> Any:
        answer = await self._exchange(request)
        self.offset, self.digest = answer.offset, answer.digest
        return answer

    async def _exchange(self, request: content.WriteContentRequest) -> Any:
        await self._stream.send(request)
        answer = await self._stream.receive()
        if answer is None:
            raise errors.Aborted("content writer: the daemon ended the stream: aborted")
        return answer
