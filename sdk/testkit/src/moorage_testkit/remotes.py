"""The stores of a daemon behind its socket, as the slots that the conformance suites know.

    with remotes.connected(daemon.address, "tests") as remote:
        digest = put(remote.content, b"data")

What is made is held by a lease, and gone when the ``with`` block is over, its files too. All calls go over one loop
in a thread of its own, so that the tests' threads may share the stores.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from moorage_client import contents
from moorage_client.clients import Client, connect
from moorage_sdk import errors
from moorage_sdk.content import ContentStore, Info, Reader, Status, Writer
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info as Snapshot
from moorage_sdk.snapshots import Snapshotter, Usage

T = TypeVar("T")
_PATIENCE = 120
"""Seconds that one call may take, on a busy machine with a full disk."""


class Remote:
    """One namespace of one daemon."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: Client) -> None:
        self.client = client
        self._loop = loop
        self._writers: list[Writer] = []
        self.content: ContentStore = RemoteContentStore(self)

    def snapshotter(self, name: str) -> RemoteSnapshotter:
        return RemoteSnapshotter(self, name)

    def opened(self, writer: Writer) -> Writer:
        """Remember to close it when the test does not."""
        self._writers.append(writer)
        return writer

    def close(self) -> None:
        while self._writers:
            self._writers.pop().close()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """The result of a call of ``client``, from any thread. Raises what it raises."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(_PATIENCE)

    def all_of(self, items: AsyncIterator[T]) -> list[T]:
        async def collect() -> list[T]:
            return [item async for item in items]

        return self.run(collect())


@contextmanager
def connected(address: str, namespace: str, snapshotters: Sequence[str] = ()) -> Iterator[Remote]:
    """``snapshotters`` are those whose snapshots in the namespace are removed in the end, as its content is."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="remote")
    thread.start()
    try:
        stack = AsyncExitStack()
        outside = Remote(loop, asyncio.run_coroutine_threadsafe(_enter(stack, address, namespace), loop).result())
        try:
            lease = outside.run(outside.client.leases.create(f"remote-{secrets.token_hex(8)}")).id
            inside = Remote(loop, outside.client.within(lease))
            yield inside
            inside.close()
            _clear(outside, snapshotters)
            # What nothing refers to any more goes now: blobs of one test would be shared with another's namespace.
            outside.run(outside.client.leases.delete(lease, sync=True))
        finally:
            outside.run(stack.aclose())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _enter(stack: AsyncExitStack, address: str, namespace: str) -> Client:
    return await stack.enter_async_context(connect(address, namespace))


def _clear(remote: Remote, snapshotters: Sequence[str]) -> None:
    store = remote.content
    for status in store.statuses():
        store.abort(status.ref)
    for info in store.walk():
        store.delete(info.digest)
    for name in snapshotters:
        snapshotter = remote.snapshotter(name)
        while left := list(snapshotter.walk()):
            for leaf in {each.name for each in left} - {each.parent for each in left}:
                snapshotter.remove(leaf)


class RemoteContentStore(ContentStore):
    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._contents = remote.client.contents

    def info(self, digest: str) -> Info:
        return self._remote.run(self._contents.info(digest))

    def walk(self) -> Iterator[Info]:
        return iter(self._remote.all_of(self._contents.walk()))

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        return self._remote.run(self._contents.update(info, paths))

    def delete(self, digest: str) -> None:
        self._remote.run(self._contents.delete(digest))

    def reader(self, digest: str) -> Reader:
        return _Reader(self._remote, self.info(digest))

    def writer(self, ref: str, *, size: int = 0, expected: str = "") -> Writer:
        stack = AsyncExitStack()
        opening = self._contents.writer(ref, size=size, expected=expected)
        opened = self._remote.run(stack.enter_async_context(opening))
        return self._remote.opened(_Writer(self._remote, stack, opened))

    def status(self, ref: str) -> Status:
        return self._remote.run(self._contents.status(ref))

    def statuses(self) -> list[Status]:
        return self._remote.run(self._contents.statuses())

    def abort(self, ref: str) -> None:
        self._remote.run(self._contents.abort(ref))


class _Reader(Reader):
    """Every read is a call of its own: nothing holds the blob in between."""

    def __init__(self, remote: Remote, info: Info) -> None:
        self._remote = remote
        self._info = info

    @property
    def size(self) -> int:
        return self._info.size

    def read_at(self, offset: int, size: int) -> bytes:
        if not size:
            return b""
        return b"".join(self._remote.all_of(self._remote.client.contents.read(self._info.digest, offset, size)))

    def close(self) -> None:
        """There is nothing to release."""


class _Writer(Writer):
    def __init__(self, remote: Remote, stack: AsyncExitStack, writer: contents.Writer) -> None:
        self._remote = remote
        self._stack = stack
        self._writer = writer
        self._committed = ""
        self._open = True

    def write(self, data: bytes | bytearray | memoryview) -> int:
        self._check()
        self._remote.run(self._writer.write(bytes(data)))
        return len(data)

    def truncate(self, size: int) -> None:
        """The protocol knows one truncation: a write at offset 0."""
        self._check()
        if size:
            raise errors.Unimplemented("content writer: truncates to nothing only: not implemented")
        self._remote.run(self._writer.truncate())

    def status(self) -> Status:
        return self._remote.run(self._writer.status())

    def digest(self) -> str:
        if self._open:
            self.status()
        return self._committed or self._writer.digest

    def commit(self, size: int = 0, expected: str = "", labels: Mapping[str, str] | None = None) -> str:
        self._check()
        try:
            self._committed = self._remote.run(self._writer.commit(size, expected, labels))
            return self._committed
        finally:
            self.close()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._remote.run(self._writer.close())
            self._remote.run(self._stack.aclose())

    def _check(self) -> None:
        if not self._open:
            raise errors.FailedPrecondition(f'content writer "{self._writer.ref}": closed: failed precondition')


class RemoteSnapshotter(Snapshotter):
    def __init__(self, remote: Remote, name: str) -> None:
        self._remote = remote
        self._snapshots = remote.client.snapshots(name)

    def stat(self, key: str) -> Snapshot:
        return self._remote.run(self._snapshots.stat(key))

    def update(self, info: Snapshot, paths: Sequence[str] = ()) -> Snapshot:
        return self._remote.run(self._snapshots.update(info, paths))

    def usage(self, key: str) -> Usage:
        return self._remote.run(self._snapshots.usage(key))

    def mounts(self, key: str) -> tuple[Mount, ...]:
        return self._remote.run(self._snapshots.mounts(key))

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._remote.run(self._snapshots.prepare(key, parent, labels))

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._remote.run(self._snapshots.view(key, parent, labels))

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        self._remote.run(self._snapshots.commit(name, key, labels, parent))

    def remove(self, key: str) -> None:
        self._remote.run(self._snapshots.remove(key))

    def walk(self) -> Iterator[Snapshot]:
        return iter(self.matching(()))

    def matching(self, filters: Sequence[str]) -> list[Snapshot]:
        """Those that one of the filters fits, all without filters."""
        return self._remote.all_of(self._snapshots.walk(filters))

    def close(self) -> None:
        """The connection is the remote's."""
