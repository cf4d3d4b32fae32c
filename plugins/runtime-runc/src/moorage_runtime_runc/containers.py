"""One container: init, the processes that exec added, and the rules of containerd's runc shim about their order.

The rules: Start is announced before any exit. Init's exit is announced after the exits of all execs, and what init
leaves behind in a shared pid namespace is killed first. A SIGKILL also reaches a paused container.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable
from pathlib import Path

from google.protobuf.message import Message

from moorage_api.convert import timestamps
from moorage_api.messages import events
from moorage_runtime_runc import cgroups, checkpoints, records, specs
from moorage_runtime_runc.exits import Exits
from moorage_runtime_runc.processes import Process, finished, program
from moorage_runtime_runc.publishers import Prepared, Publisher
from moorage_runtime_runc.reapers import Ended, Watch
from moorage_runtime_runc.runtimes import CheckpointFlags, Runtime, Settings
from moorage_sdk import errors
from moorage_sdk.tasks import Status
from moorage_sys import mounts

log = logging.getLogger(__name__)

_CREATED = "task in created state"
_STOPPED = "a stopped container"

_ATTEMPTS = 3

_LOOKS, _LOOK = 20, 0.005
"""How often, and with how many seconds in between, it is looked whether a start that failed was one after all."""


class Container:
    """Everything about one container but its creation and its execs' start (``creations``, ``execs``)."""

    def __init__(
        self,
        namespace: str,
        bundle: Path,
        settings: Settings,
        runtime: Runtime,
        init: Process,
        publisher: Publisher,
    ) -> None:
        self.namespace = namespace
        self.id = init.id
        self.bundle = bundle
        self.settings = settings
        self.runtime = runtime
        self.init = init
        self.execs: dict[str, Process] = {}
        self.traits = specs.traits(bundle)
        self.mounted = False
        self.paused = False
        self.pausing = False
        self.creating = True
        self.restore_from = ""
        self.parent_checkpoint = ""
        self.deleting = False
        self.event = Prepared()
        self._publisher = publisher
        self.exits = Exits(init, self._exited)

    # Looking.

    def process(self, exec_id: str) -> Process:
        """Init for an empty id. Raises errors.NotFound."""
        if not exec_id:
            return self.init
        try:
            return self.execs[exec_id]
        except KeyError:
            raise _no_process(exec_id) from None

    def status(self, process: Process) -> Status:
        """A running process of a container that is paused is paused, too."""
        if self.pausing:
            return Status.PAUSING
        if self.paused and process.status is not Status.STOPPED:
            return Status.PAUSED
        return process.status

    @property
    def cgroup(self) -> cgroups.Cgroup:
        """Where init is; an empty one once it is gone. Looked up each time: a dozen paths are more than the rest."""
        if self.exits.init_gone or self.init.watch is None:
            return cgroups.Cgroup()
        try:
            return cgroups.of(self.init.pid)
        except ProcessLookupError:
            return cgroups.Cgroup()

    def pids(self) -> list[int]:
        return self.cgroup.pids()

    def record(self) -> records.TaskRecord:
        return records.TaskRecord(
            self.namespace,
            self.id,
            str(self.bundle),
            self.settings,
            self.init.record(),
            tuple(process.record() for process in self.execs.values()),
            self.mounted,
            self.paused,
            self.creating,
            self.restore_from,
            self.parent_checkpoint,
            self.pausing,
            self.deleting,
            self.event.number,
            self.event.data.hex(),
        )

    def save(self) -> None:
        """Write down what is. A full disk must not stop a container, so that is only logged."""
        try:
            records.write(self.record())
        except OSError:
            log.exception("container %s/%s: record not written", self.namespace, self.id)

    # Changing.

    async def pause(self) -> None:
        async with self.init.busy:
            self._refuse("pause", created=_CREATED, paused="a paused container", stopped=_STOPPED)
            self.pausing = True
            self.save()
            try:
                await self._reach(self.runtime.pause(), "paused")
                self.paused = True
            finally:
                self.pausing = False
            if self.exits.init_gone:
                # It ended meanwhile, and what it has left behind must not be frozen when it is to be killed.
                await self._thaw()
                raise errors.FailedPrecondition(f"cannot pause {_STOPPED}")
            self.announce(events.TaskPaused(container_id=self.id))

    async def resume(self) -> None:
        async with self.init.busy:
            self._refuse("resume", created=_CREATED, running="a running process", stopped=_STOPPED)
            await self._thaw()
            self.announce(events.TaskResumed(container_id=self.id))

    async def kill(self, number: int, *, all: bool) -> None:
        """Send a signal to init, or to every process of the container."""
        async with self.init.busy:
            if self.exits.init_gone:
                raise finished()
            if self.init.watch is None:  # it waits to be restored, so the runtime has never heard of it
                raise errors.NotFound("no such container: not found")
            await self.runtime.kill(number, all=all)
            if number == signal.SIGKILL and self.paused:
                # In a frozen cgroup of version 1 the signal waits for ever.
                with contextlib.suppress(errors.Error):
                    await self._thaw()

    async def update(self, resources: bytes) -> None:
        async with self.init.busy:
            self._refuse("update", stopped=_STOPPED)
            await self.runtime.update(resources)

    async def checkpoint(self, image: str, work: str, flags: CheckpointFlags) -> None:
        async with self.init.busy:
            self._refuse("checkpoint", created="a task in created state", stopped=_STOPPED)
            await checkpoints.write(self.runtime, self.bundle, image, work, flags)
            self.announce(events.TaskCheckpointed(container_id=self.id, checkpoint=image))

    async def start_init(self) -> int:
        """Let a created container run. Returns its pid."""
        init = self.init
        async with init.busy:
            self.refuse_start()
            init.starting = True
            try:
                await self._let_run()
                init.status = Status.RUNNING
                self.announce(events.TaskStart(container_id=self.id, pid=init.pid))
            finally:
                init.starting = False
                await self.exits.changed()
        return init.pid

    async def _let_run(self) -> None:
        """Raises errors.Error unless init runs then: the command may die when it has done its work."""
        before = program(self.init.pid)
        try:
            await self.runtime.start()
        except errors.Error as error:
            if not await self._runs(before):
                raise
            log.warning("container %s/%s: runs, although: %s", self.namespace, self.id, error)

    async def _runs(self, before: object) -> bool:
        """Whether init is no longer the program that it was. It may take a moment to become another.

        runc is no witness: for it a container is created as long as ``exec.fifo`` is there, which the command that died
        may not have come to remove, and a second start would wait for that FIFO until init ends.
        """
        for _ in range(_LOOKS):
            if program(self.init.pid) not in (before, None):
                return True
            await asyncio.sleep(_LOOK)
        return False

    async def _reach(self, command: Awaitable[None], *states: str) -> None:
        """Raises errors.Error unless it is in one of the states then: a command may die when it has done its work."""
        try:
            await command
        except errors.Error as error:
            for _ in range(_ATTEMPTS):  # to be told: one that is frozen unknown to us could not be killed
                with contextlib.suppress(errors.Error):
                    if (state := await self.runtime.state()) in states:
                        log.warning("container %s/%s: %s, although: %s", self.namespace, self.id, state, error)
                        return
                    break
            raise

    def refuse_start(self) -> None:
        """Raises errors.FailedPrecondition unless init is there and has not been started."""
        if self.exits.init_gone:
            raise errors.FailedPrecondition("cannot start a stopped process")
        self._refuse("start", running="a running process", paused="a paused process", stopped="a stopped process")

    async def delete(self) -> None:
        """Remove the container from the runtime and its root file system from the bundle.

        Raises errors.FailedPrecondition while it runs, errors.NotFound once it is deleted.
        """
        async with self.init.busy:
            if self.deleting:  # by a call that came a moment before
                raise errors.NotFound("container not created: not found")
            self._refuse("delete", running="a running process", paused="a paused process")
            await self.init.streams.drain()
            await self._clear()
            for process in (*self.execs.values(), self.init):
                await process.deleted()
            self.deleting = True
            self.announce(
                events.TaskDelete(
                    container_id=self.id,
                    pid=self.init.pid,
                    exit_status=self.init.exit_status,
                    exited_at=timestamps.to_message(self.init.exited_at),
                )
            )

    async def _clear(self) -> None:
        """Both the runtime's part and the root file system."""
        created = self.init.status is Status.CREATED
        if created or self.traits.poststop:
            await self.runtime.delete(force=created)
            if created and self.init.watch is not None:
                await self.init.wait()
            await self.unmount()
            return
        # The runtime does not look at the root file system of a container that has ended: no need to wait for it.
        unmounting = asyncio.create_task(self.unmount())
        try:
            await self.runtime.delete()
        finally:
            await unmounting

    async def delete_exec(self, process: Process) -> None:
        async with process.busy:
            if self.execs.get(process.id) is not process:  # as in delete
                raise _no_process(process.id)
            if process.status is Status.RUNNING:
                raise errors.FailedPrecondition("cannot delete a running process")
            await process.streams.drain()
            await process.deleted()
            if self.deleting:  # with all its execs, so that there is no record any more
                raise _no_process(process.id)
            del self.execs[process.id]
            self.save()

    async def unmount(self) -> None:
        if self.mounted:
            # On a thread: the file system below may hang.
            await asyncio.to_thread(_take_off, self.bundle / "rootfs")
            self.mounted = False

    # Ends.

    def follow_init(self, watch: Watch) -> None:
        """From now on init's exit is taken care of."""
        self.exits.follow_init(watch, self._after_init)

    def announce(self, event: Message) -> None:
        """Write down what is, and with it the event that tells of it, and send it: so it is told exactly once."""
        self.event = self._publisher.prepare(self.namespace, event)
        self.save()
        try:
            self._publisher.send(self.event)
        except OSError:
            log.exception("event %s of %s/%s: not kept", event.DESCRIPTOR.name, self.namespace, self.id)

    async def _after_init(self) -> None:
        if not self.traits.private_pids:
            with contextlib.suppress(errors.Error):
                await self.runtime.kill(signal.SIGKILL, all=True)
        if self.paused:
            with contextlib.suppress(errors.Error):
                await self._thaw()

    def _exited(self, process: Process, how: Ended) -> None:
        process.ended(how)
        self.announce(
            events.TaskExit(
                container_id=self.id,
                id=process.id,
                pid=process.pid,
                exit_status=how.code,
                exited_at=timestamps.to_message(how.at),
            )
        )
        process.settled()

    async def _thaw(self) -> None:
        await self._reach(self.runtime.resume(), "running", "created")
        self.paused = False
        self.save()

    def _refuse(self, verb: str, *, created: str = "", running: str = "", paused: str = "", stopped: str = "") -> None:
        """Raise errors.FailedPrecondition in the states that have a word, in the words of process/init_state.go."""
        words = {Status.CREATED: created, Status.RUNNING: running, Status.PAUSED: paused, Status.STOPPED: stopped}
        if word := words.get(self.status(self.init)):
            raise errors.FailedPrecondition(f"cannot {verb} {word}")


def _take_off(rootfs: Path) -> None:
    """Raises OSError."""
    try:
        # As a rule it is one mount, and nothing else is needed: the table of all mounts grows with the containers.
        mounts.unmount_all(rootfs, lazy=False)
    except OSError:
        mounts.unmount_recursive(rootfs)


def _no_process(exec_id: str) -> errors.NotFound:
    return errors.NotFound(f"process does not exist {exec_id}: not found")
