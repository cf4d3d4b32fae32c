"""Containers whose records and snapshots are there, so that what is timed is the life of their tasks alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from lean import Lean
from sides import BUSYBOX, Side

from moorage_api.convert import mounts, typeurls
from moorage_api.messages import runc_options, tasks
from moorage_client.clients import Client, connect
from moorage_client.containers import spec_of, spec_payload
from moorage_sdk.containers import Container
from moorage_sdk.mounts import Mount

_PATH = "/containerd.services.tasks.v1.Tasks/"
_KEEP = {"containerd.io/gc.root": "bench"}


@dataclass(frozen=True)
class Room:
    """What a task is made from. ``spec`` is that of the OCI runtime."""

    id: str
    rootfs: Sequence[Mount]
    spec: dict[str, Any]


@contextmanager
def rooms(side: Side, ids: Sequence[str], *words: str, terminal: bool = False) -> Iterator[list[Room]]:
    """Containers for the length of a ``with`` block, each as ``ctr`` makes them."""
    tty = ["--tty"] if terminal else []
    model = f"{ids[0]}-model"
    side.ctr("containers", "create", *tty, BUSYBOX, model, *words)
    try:
        yield asyncio.run(_furnish(side, model, ids))
    finally:
        asyncio.run(_clear(side, ids))
        side.ctr("containers", "rm", model)


async def _furnish(side: Side, model: str, ids: Sequence[str]) -> list[Room]:
    async with connect(side.daemon.address, side.name) as client:
        container = await client.containers.get(model)
        return [await _room(client, container, id) for id in ids]


async def _room(client: Client, model: Container, id: str) -> Room:
    spec = spec_of(model)
    spec["linux"]["cgroupsPath"] = spec["linux"]["cgroupsPath"].replace(model.id, id)
    snapshots = client.snapshots(model.snapshotter)
    parent = (await snapshots.stat(model.snapshot_key)).parent
    rootfs = await snapshots.prepare(id, parent, _KEEP)
    await client.containers.create(replace(model, id=id, snapshot_key=id, spec=spec_payload(spec)))
    return Room(id, rootfs, spec)


async def _clear(side: Side, ids: Sequence[str]) -> None:
    async with connect(side.daemon.address, side.name) as client:
        for id in ids:
            snapshotter = (await client.containers.get(id)).snapshotter
            await client.containers.delete(id)
            await client.snapshots(snapshotter).remove(id)


class Tenant:
    """The tasks of one container, one after the other, for one caller at a time.

    It has two connections, as a Wait is under way while the task is started.
    """

    def __init__(self, side: Side, room: Room, binary: str = "runc") -> None:
        self.room = room
        self._namespace = side.name
        self._calls, self._waits = Lean(side.daemon.address), Lean(side.daemon.address)
        self._options = typeurls.pack(runc_options.Options(binary_name=binary))

    def close(self) -> None:
        self._calls.close()
        self._waits.close()

    def live(self) -> None:
        """A whole life, as ``ctr run`` has it."""
        self.create()
        waiting = self.wait()
        self.start()
        self.waited(waiting)
        self.delete()

    def create(self, stdout: str = "", *, terminal: bool = False) -> None:
        self._call(
            "Create",
            tasks.CreateTaskRequest(
                container_id=self.room.id,
                rootfs=mounts.to_messages(self.room.rootfs),
                stdout=stdout,
                stderr="" if terminal else stdout,  # one alone is more than containerd 1.6 can bear
                terminal=terminal,
                options=self._options,
            ),
        )

    def start(self, exec_id: str = "") -> None:
        self._call("Start", tasks.StartRequest(container_id=self.room.id, exec_id=exec_id))

    def wait(self, exec_id: str = "") -> int:
        """Begin to wait for the end; ``waited`` takes the answer."""
        request = tasks.WaitRequest(container_id=self.room.id, exec_id=exec_id)
        return self._waits.begin(_PATH + "Wait", self._namespace, request.SerializeToString())

    def waited(self, stream: int) -> None:
        self._waits.end(_PATH + "Wait", stream)

    def delete(self) -> None:
        self._call("Delete", tasks.DeleteTaskRequest(container_id=self.room.id))

    def kill(self) -> None:
        """End a task that runs, and delete it."""
        waiting = self.wait()
        self._call("Kill", tasks.KillRequest(container_id=self.room.id, signal=9, all=True))
        self.waited(waiting)
        self.delete()

    def exec(self, exec_id: str, *words: str) -> None:
        """Run another program to its end."""
        spec = {**self.room.spec["process"], "args": words, "terminal": False}
        id, packed = self.room.id, typeurls.pack_json(typeurls.PROCESS, spec)
        self._call("Exec", tasks.ExecProcessRequest(container_id=id, exec_id=exec_id, spec=packed))
        waiting = self.wait(exec_id)
        self.start(exec_id)
        self.waited(waiting)
        self._call("DeleteProcess", tasks.DeleteProcessRequest(container_id=id, exec_id=exec_id))

    def _call(self, method: str, request: Any) -> None:
        self._calls.call(_PATH + method, self._namespace, request.SerializeToString())
