"""A daemon of a few lines: handlers on a real server and a real socket, as the test writes them."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api import serving
from moorage_api.messages import content, diff, images, leases, snapshots, types
from moorage_client import clients
from moorage_client.clients import Client
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import Descriptor

Handlers = Mapping[str, Mapping[str, Callable[..., Any]]]
Talk = Callable[[Handlers, Callable[[Client], Awaitable[Any]]], Any]


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """Short enough for a unix socket (108 bytes), unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-client-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def talk(socket_folder: Path) -> Talk:
    """``talk(handlers, work)``: serve the handlers and run ``work(client)`` in the namespace ``test``."""

    async def serve(handlers: Handlers, work: Callable[[Client], Awaitable[Any]]) -> Any:
        server = grpc.aio.server()
        for name, methods in handlers.items():
            server.add_generic_rpc_handlers((serving.handler(name, methods),))
        server.add_generic_rpc_handlers((serving.fallback(),))
        address = str(socket_folder / "s")
        server.add_insecure_port(f"unix:{address}")
        await server.start()
        try:
            async with clients.connect(address, "test") as client:
                return await asyncio.wait_for(work(client), 20)
        finally:
            await server.stop(0)

    return lambda handlers, work: asyncio.run(serve(handlers, work))


@pytest.fixture
def store() -> Store:
    """Content, images, leases, snapshots and diffs in memory, for ``talk(store.handlers(), ...)``."""
    return Store()


class Store:
    """As much of a daemon as images need. ``diff_ids`` maps a layer's digest to what unpacking it yields."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.ingests: dict[str, bytearray] = {}
        self.images: dict[str, images.Image] = {}
        self.leases: list[str] = []
        self.snapshots: dict[str, str] = {}
        self.active: dict[str, str] = {}
        self.diff_ids: dict[str, str] = {}
        self.applied: list[str] = []
        self.sent = 0

    def add(self, media_type: str, data: bytes) -> Descriptor:
        digest = digests.of(data)
        self.blobs[digest] = data
        return Descriptor(media_type, digest, len(data))

    def add_json(self, media_type: str, document: Any) -> Descriptor:
        return self.add(media_type, json.dumps(document).encode())

    def handlers(self) -> Handlers:
        prefix = "containerd.services"
        return {
            f"{prefix}.content.v1.Content": {
                "Info": self._info,
                "Read": self._read,
                "Update": self._label,
                "Write": self._write,
                "Abort": self._abort,
            },
            f"{prefix}.images.v1.Images": {"Create": self._create_image, "Update": self._update_image},
            f"{prefix}.leases.v1.Leases": {"Create": self._create_lease, "Delete": self._delete_lease},
            f"{prefix}.snapshots.v1.Snapshots": {
                "Stat": self._stat,
                "Prepare": self._prepare,
                "Commit": self._commit,
                "Remove": self._remove,
            },
            f"{prefix}.diff.v1.Diff": {"Apply": self._apply},
        }

    def _blob(self, digest: str) -> bytes:
        if digest not in self.blobs:
            raise errors.NotFound(f'content "{digest}": not found')
        return self.blobs[digest]

    async def _info(self, request: Any, context: Any) -> Any:
        info = content.Info(digest=request.digest, size=len(self._blob(request.digest)))
        return content.InfoResponse(info=info)

    async def _read(self, request: Any, context: Any) -> AsyncIterator[Any]:
        data = self._blob(request.digest)[request.offset :]
        for start in range(0, len(data), 1000):
            yield content.ReadContentResponse(offset=start, data=data[start : start + 1000])

    async def _label(self, request: Any, context: Any) -> Any:
        self._blob(request.info.digest)
        for path in request.update_mask.paths:
            key = path.removeprefix("labels.")
            self.labels.setdefault(request.info.digest, {})[key] = request.info.labels[key]
        return content.UpdateResponse(info=request.info)

    async def _write(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        ref, data = "", bytearray()
        async for request in requests:
            ref = request.ref or ref
            if request.expected in self.blobs:
                raise errors.AlreadyExists(f'content "{request.expected}": already exists')
            data = self.ingests.setdefault(ref, bytearray())
            if request.action == content.WRITE:
                if not request.offset:
                    data.clear()
                data += request.data
                self.sent += len(request.data)
            if request.action == content.COMMIT:
                digest = digests.of(bytes(data))
                assert request.offset == len(data)
                if (request.total and request.total != len(data)) or request.expected not in ("", digest):
                    raise errors.FailedPrecondition(f'commit "{ref}": not as promised: failed precondition')
                self.blobs[digest] = bytes(self.ingests.pop(ref))
                self.labels.setdefault(digest, {}).update(request.labels)
            yield content.WriteContentResponse(action=request.action, offset=len(data), digest=digests.of(bytes(data)))

    async def _abort(self, request: Any, context: Any) -> Empty:
        del self.ingests[request.ref]
        return Empty()

    async def _create_image(self, request: Any, context: Any) -> Any:
        if request.image.name in self.images:
            raise errors.AlreadyExists(f'image "{request.image.name}": already exists')
        self.images[request.image.name] = request.image
        return images.CreateImageResponse(image=request.image)

    async def _update_image(self, request: Any, context: Any) -> Any:
        self.images[request.image.name] = request.image
        return images.UpdateImageResponse(image=request.image)

    async def _create_lease(self, request: Any, context: Any) -> Any:
        self.leases.append(request.id)
        return leases.CreateResponse(lease=leases.Lease(id=request.id))

    async def _delete_lease(self, request: Any, context: Any) -> Empty:
        self.leases.remove(request.id)
        return Empty()

    async def _stat(self, request: Any, context: Any) -> Any:
        if request.key not in self.snapshots:
            raise errors.NotFound(f'snapshot "{request.key}": not found')
        return snapshots.StatSnapshotResponse(info=snapshots.Info(name=request.key))

    async def _prepare(self, request: Any, context: Any) -> Any:
        assert not request.parent or request.parent in self.snapshots
        self.active[request.key] = request.parent
        return snapshots.PrepareSnapshotResponse(mounts=[types.Mount(type="bind", source="/x")])

    async def _commit(self, request: Any, context: Any) -> Empty:
        if request.name in self.snapshots:
            raise errors.AlreadyExists(f'snapshot "{request.name}": already exists')
        self.snapshots[request.name] = self.active.pop(request.key)
        return Empty()

    async def _remove(self, request: Any, context: Any) -> Empty:
        if request.key not in self.active:
            raise errors.NotFound(f'snapshot "{request.key}": not found')
        del self.active[request.key]
        return Empty()

    async def _apply(self, request: Any, context: Any) -> Any:
        digest = request.diff.digest
        self._blob(digest)
        self.applied.append(digest)
        return diff.ApplyResponse(applied=types.Descriptor(digest=self.diff_ids.get(digest, digest)))
