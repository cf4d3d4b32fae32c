"""A process with a whole store in it, made to be killed: metadata, content and two snapshotters on real directories.

Started as a program it forks a store for every folder that it is sent, which is faster by far than starting Python
anew, and safe as long as this process has no threads.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from moorage_content_local.stores import LocalStore
from moorage_kv import Store, validation
from moorage_metadata_lmdb.databases import SCHEMA, TABLES, Database
from moorage_sdk import digests, errors, snapshots
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import ContentStore, Info
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.events import Envelope, Exchange, Payload, Subscription
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.metadata import View
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.snapshots import Snapshotter
from moorage_snapshotter_native.snapshotters import NativeSnapshotter
from moorage_snapshotter_overlayfs.snapshotters import OverlaySnapshotter

EFFECTS = ("fsync", "ftruncate", "mkdir", "pwrite", "rename", "replace", "rmdir", "unlink", "utime")
"""Calls of ``os`` that change what is on disk, before each of which the process may be killed."""


class Fuse:
    """Kills this process before the effect that it is set to; the same effect in every run."""

    def __init__(self) -> None:
        self.left = 0
        for name in EFFECTS:
            setattr(os, name, self._wired(getattr(os, name)))
        Store.write = self._wired(Store.write)  # type: ignore[method-assign]

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _wired(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wired(*arguments: Any, **named: Any) -> Any:
            self.burn()
            return function(*arguments, **named)

        return wired


class Deaf(Exchange):
    def publish(self, namespace: str, topic: str, event: Payload) -> None:
        return

    def forward(self, envelope: Envelope) -> None:
        return

    def subscribe(self, wake: Any, match: Any = None) -> Subscription:
        raise errors.Unimplemented("nobody listens here: not implemented")


class Stores:
    """What a test may call: each public method takes and returns plain values, or raises errors.Error."""

    def __init__(self, folder: Path) -> None:
        self.content = LocalStore(folder / "content")
        self.snapshotters: dict[str, Snapshotter] = {
            "native": NativeSnapshotter(folder / "native"),
            "overlayfs": OverlaySnapshotter(folder / "overlayfs", sync_commit=False),
        }
        store = Store.open(folder / "metadata", tables=TABLES, schema=SCHEMA, map_size=64 << 20, durable=False)
        self.database = Database(store, self.content, self.snapshotters, Deaf())

    def call(self, namespace: str, lease: str, path: str, *arguments: Any) -> Any:
        """A method of a view by its name, such as ``leases.create``; what it yields as a list."""
        owner: Any = self._view(namespace, lease)
        *rooms, method = path.split(".")
        for room in rooms:
            owner = owner.snapshotter(room) if room in self.snapshotters else getattr(owner, room)
        result = getattr(owner, method)(*arguments)
        return list(result) if hasattr(result, "__next__") else result

    def append(self, namespace: str, lease: str, ref: str, data: bytes) -> tuple[int, str]:
        """Open an ingest, write to it and leave it: its offset and the digest of all it has."""
        with self._content(namespace, lease).writer(ref) as writer:
            writer.write(data)
            return writer.status().offset, writer.digest()

    def truncate(self, namespace: str, ref: str, size: int) -> tuple[int, str]:
        with self._content(namespace).writer(ref) as writer:
            writer.truncate(size)
            return writer.status().offset, writer.digest()

    def commit(
        self, namespace: str, lease: str, ref: str, size: int, expected: str, labels: dict[str, str], share: bool
    ) -> str:
        """With ``share`` the ingest is opened for the expected digest, and may find it in another namespace."""
        opened = expected if share else ""
        with self._content(namespace, lease).writer(ref, expected=opened) as writer:
            return writer.commit(size, expected, labels)

    def share(self, namespace: str, lease: str, ref: str, expected: str) -> int:
        """Open an ingest for a digest, and leave it."""
        with self._content(namespace, lease).writer(ref, expected=expected) as writer:
            return writer.status().offset

    def relabel(self, namespace: str, digest: str, labels: dict[str, str], paths: tuple[str, ...]) -> None:
        self._content(namespace).update(Info(digest, labels=labels), paths)

    def read(self, namespace: str, digest: str) -> bytes:
        with self._content(namespace).reader(digest) as reader:
            return bytes(reader.read_at(0, 1 << 20))

    def image(self, namespace: str, name: str, digest: str, labels: dict[str, str]) -> None:
        self._view(namespace).images.create(Image(name, Descriptor(OCI_MANIFEST, digest, 1), labels))

    def container(self, namespace: str, name: str, key: str, labels: dict[str, str]) -> None:
        """A container over a snapshot of ``native``."""
        uses = {"snapshotter": "native", "snapshot_key": key} if key else {}
        made = Container(name, Runtime("r"), Payload("s", b""), labels=labels, **uses)
        self._view(namespace).containers.create(made)

    def sandbox(self, namespace: str, name: str, labels: dict[str, str]) -> None:
        self._view(namespace).sandboxes.create(Sandbox(name, Runtime("r"), sandboxer="x", labels=labels))

    def lease(self, namespace: str, id: str, labels: dict[str, str]) -> None:
        self._view(namespace).leases.create(id, labels)

    def hold(self, namespace: str, id: str, type: str, key: str) -> None:
        self._view(namespace).leases.add_resource(id, Resource(key, type))

    def release(self, namespace: str, id: str, type: str, key: str) -> None:
        self._view(namespace).leases.delete_resource(id, Resource(key, type))

    def resources(self, namespace: str, id: str) -> list[tuple[str, str]]:
        return [(each.type, each.id) for each in self._view(namespace).leases.resources(id)]

    def delete(self, namespace: str, kind: str, key: str) -> None:
        """Delete an image, container, sandbox, lease, or the name of a blob."""
        owner: Any = self._view(namespace)
        rooms = {"content": "content", "sandbox": "sandboxes"}
        getattr(owner, rooms.get(kind, f"{kind}s")).delete(key)

    def names(self) -> list[tuple[Any, ...]]:
        """All names there are: kind, namespace and key, with labels, and what leases hold."""
        found: list[tuple[Any, ...]] = []
        for namespace in (each.name for each in self.database.namespaces.list()):
            view = self._view(namespace)
            rows = {
                "content": [(info.digest, info) for info in view.content.walk()],
                "snapshot": [(f"native/{info.name}", info) for info in view.snapshotter("native").walk()],
                "image": [(image.name, image) for image in view.images.list()],
                "container": [(container.id, container) for container in view.containers.list()],
                "sandbox": [(sandbox.id, sandbox) for sandbox in view.sandboxes.list()],
                "lease": [(lease.id, lease) for lease in view.leases.list()],
            }
            for kind, listed in rows.items():
                for key, row in listed:
                    held = self.resources(namespace, key) if kind == "lease" else []
                    found.append((kind, namespace, key, sorted(row.labels.items()), held))
        return sorted(found)

    def put(self, namespace: str, lease: str, data: bytes, labels: dict[str, str]) -> str:
        return self.commit_whole(namespace, lease, f"whole-{digests.of(data)}", data, labels)

    def commit_whole(self, namespace: str, lease: str, ref: str, data: bytes, labels: dict[str, str]) -> str:
        with self._content(namespace, lease).writer(ref) as writer:
            writer.truncate(0)
            writer.write(data)
            return writer.commit(len(data), "", labels)

    def layer(self, namespace: str, lease: str, name: str, parent: str, labels: dict[str, str]) -> None:
        snapshotter = self._view(namespace, lease).snapshotter("native")
        snapshotter.prepare(f"extract {name}", parent)
        snapshotter.commit(name, f"extract {name}", labels)

    def make(self, snapshotter: str, namespace: str, key: str, parent: str, labels: dict[str, str], view: bool) -> None:
        """Prepare a snapshot, or a view."""
        owner = self._view(namespace).snapshotter(snapshotter)
        (owner.view if view else owner.prepare)(key, parent, labels)

    def snapshot(
        self, snapshotter: str, namespace: str, name: str, key: str, labels: dict[str, str], parent: str
    ) -> None:
        """Commit a snapshot."""
        self._view(namespace).snapshotter(snapshotter).commit(name, key, labels, parent)

    def remove(self, snapshotter: str, namespace: str, key: str) -> None:
        self._view(namespace).snapshotter(snapshotter).remove(key)

    def label(self, snapshotter: str, namespace: str, key: str, labels: dict[str, str]) -> None:
        self._view(namespace).snapshotter(snapshotter).update(
            snapshots.Info(snapshots.Kind.UNKNOWN, key, labels=labels)
        )

    def touch(self, namespace: str, key: str, name: str) -> None:
        """Create a file in an active snapshot of ``native``."""
        (self._tree(namespace, key) / name).touch()

    def files(self, namespace: str, key: str) -> list[str]:
        """Names of the files in an active snapshot or view of ``native``."""
        return sorted(entry.name for entry in self._tree(namespace, key).iterdir())

    def collect(self) -> tuple[list[str], list[str]]:
        """What went, and what could not be removed."""
        done = self.database.collect()
        return sorted(map(str, done.removed)), list(done.failures)

    def plan(self) -> list[str]:
        return sorted(str(removal.object) for removal in self.database.plan().removals)

    def why(self, wanted: Any) -> int:
        """How many roots keep it."""
        return len(self.database.why(wanted).paths)

    def disk(self) -> dict[str, list[str]]:
        """What the backends have: digests, references, and keys without the number in their middle."""
        keys = {name: [info.name for info in each.walk()] for name, each in self.snapshotters.items()}
        return {
            "blobs": [info.digest for info in self.content.walk()],
            "ingests": sorted(_short(status.ref) for status in self.content.statuses()),
            **{name: sorted(map(_short, found)) for name, found in keys.items()},
        }

    def close(self) -> None:
        self.database.close()
        for snapshotter in self.snapshotters.values():
            snapshotter.close()

    def _view(self, namespace: str, lease: str = "") -> View:
        return self.database.view(namespace, lease)

    def _content(self, namespace: str, lease: str = "") -> ContentStore:
        return self._view(namespace, lease).content

    def _tree(self, namespace: str, key: str) -> Path:
        (mount,) = self._view(namespace).snapshotter("native").mounts(key)
        return Path(mount.source)


def _short(key: str) -> str:
    namespace, _, name = key.split("/", 2)
    return f"{namespace}/{name}"


def serve(connection: Connection, folder: Path) -> None:
    """Answer calls until the other side hangs up, then close the stores in order.

    With a fuse set, the process is dead before it could answer.
    """
    stores = Stores(folder)
    connection.send(("ok", os.getpid()))
    fuse = Fuse()
    while True:
        try:
            fuse.left, name, arguments = connection.recv()
        except (EOFError, ConnectionError):
            stores.close()
            return
        answer = _outcome(lambda: getattr(stores, name)(*arguments))  # noqa: B023 - called at once
        while fuse.left > 0:
            fuse.burn()
        connection.send(answer)


def _outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "ok", work()
    except errors.Error as error:
        return type(error).__name__, str(error)
    except Exception as error:  # told to the test, which fails for it
        return "crash", repr(error)


def _believe(directory: Path) -> str:
    return ""


def main() -> None:
    """Standard input is a socket: each message is a folder, with the socket over which its store shall be asked."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what was killed
    # Examining the files of a killed process starts Python anew for each store, which would take nine tenths of the
    # time; sdk/kv has its own tests of that.
    validation.verdict = _believe
    with socket.socket(fileno=os.dup(0)) as orders:
        while True:
            message, descriptors, _, _ = socket.recv_fds(orders, 4096, 1)
            if not message:
                return
            if not os.fork():
                orders.close()
                serve(Connection(descriptors[0]), Path(os.fsdecode(message)))
                os._exit(0)
            os.close(descriptors[0])


if __name__ == "__main__":
    main()
