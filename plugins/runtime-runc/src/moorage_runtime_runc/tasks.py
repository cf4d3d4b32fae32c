"""All containers of the node, by namespace and id."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from moorage_runtime_runc import creations, execs, records, shields
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.creations import Creation
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.ooms import Watcher
from moorage_runtime_runc.processes import Process
from moorage_runtime_runc.publishers import Publisher
from moorage_runtime_runc.runtimes import Runtime, Settings
from moorage_sdk import errors, identifiers, namespaces

log = logging.getLogger(__name__)


class Tasks:
    """Creates, finds and deletes. What is being created or deleted already counts, so that no id is taken twice."""

    def __init__(self, host: Host, publisher: Publisher, index: records.Index, ooms: Watcher) -> None:
        self.host = host
        self.publisher = publisher
        self._index = index
        self._ooms = ooms
        self._containers: dict[tuple[str, str], Container] = {}
        self._creating: set[tuple[str, str]] = set()
        self.empty_since = time.monotonic()

    def __len__(self) -> int:
        return len(self._containers) + len(self._creating)

    @property
    def telling(self) -> bool:
        """Whether something has ended that is not told yet."""
        return any(container.exits.telling for container in self._containers.values())

    def touch(self) -> None:
        """Somebody is about to need us: count the time without containers from now."""
        self.empty_since = time.monotonic()

    def get(self, namespace: str, id: str) -> Container:
        """Raises errors.NotFound, errors.FailedPrecondition without a namespace."""
        namespaces.required(namespace)
        try:
            return self._containers[namespace, id]
        except KeyError:
            raise errors.NotFound("container not created: not found") from None

    async def create(self, namespace: str, creation: Creation, settings: Settings) -> Container:
        """Raises errors.AlreadyExists, errors.InvalidArgument, and as ``creations.create``."""
        namespaces.required(namespace)
        identifiers.validate(creation.id, "container id")
        if not creation.bundle.is_absolute():
            raise errors.InvalidArgument(f'bundle "{creation.bundle}": not an absolute path: invalid argument')
        key = namespace, creation.id
        if key in self._containers or key in self._creating:
            raise errors.AlreadyExists(f"task {creation.id}: already exists")
        self._creating.add(key)
        self.host.grace_periods.begin()
        try:
            container = self.make(namespace, creation, settings)
            self._index.add(namespace, creation.id, creation.bundle)
            await creations.create(container, creation, self.host)
            self.add(container)
        except BaseException:
            self._forget_files(namespace, creation.id, creation.bundle)
            raise
        finally:
            self._creating.discard(key)
            self.touch()
        return container

    async def start(self, container: Container, exec_id: str) -> int:
        """Returns the pid."""
        process = container.process(exec_id)
        if exec_id:
            return await execs.start(container, process, self.host)
        if container.restore_from:
            pid = await shields.to_the_end(creations.restore(container, self.host))
            self._ooms.add(container)  # which it could not be before, for it had no process
            return pid
        return await shields.to_the_end(container.start_init())

    async def delete(self, container: Container, exec_id: str) -> Process:
        """Returns the process that was deleted."""
        process = container.process(exec_id)
        if exec_id:
            await shields.to_the_end(container.delete_exec(process))
        else:
            await shields.to_the_end(self._delete(container))
        await self.host.deposits.settled()
        return process

    async def _delete(self, container: Container) -> None:
        await container.delete()
        self._ooms.remove(container)
        self._containers.pop((container.namespace, container.id), None)
        self._forget_files(container.namespace, container.id, container.bundle)
        self.touch()

    def make(self, namespace: str, creation: Creation, settings: Settings) -> Container:
        """A container as a value, of which nothing exists yet."""
        runtime = Runtime(self.host.reaper, self.host.spawner, settings, namespace, creation.id, creation.bundle)
        init = Process(creation.id, creation.stdio)
        return Container(namespace, creation.bundle, settings, runtime, init, self.publisher)

    def add(self, container: Container) -> None:
        """From now on it can be found."""
        self._containers[container.namespace, container.id] = container
        self._ooms.add(container)

    def discard(self, container: Container) -> None:
        """What an earlier monitor had not finished creating, or had all but deleted."""
        self._forget_files(container.namespace, container.id, container.bundle)

    async def close(self) -> None:
        """Forget all of them; they live on."""
        for container in self._containers.values():
            await container.exits.close()

    def _forget_files(self, namespace: str, id: str, bundle: Path) -> None:
        self._index.remove(namespace, id)
        for name in (records.FILE, "init.pid", ".init.pid"):
            (bundle / name).unlink(missing_ok=True)
