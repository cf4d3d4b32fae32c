"""Making a task: bundle, shim, Create; and undoing all of it when a step fails or the caller is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from typing import Any as Json

from google.protobuf.any_pb2 import Any

from moorage_api.convert import mounts, typeurls
from moorage_api.messages import runc_options
from moorage_sdk import errors
from moorage_sdk.tasks import Bundle, Creation
from moorage_sys import faults
from moorage_tasks_shim import lodgings, records
from moorage_tasks_shim.activations import Activations
from moorage_tasks_shim.bundles import write
from moorage_tasks_shim.carriers import Carrier
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.tasks import Task

log = logging.getLogger(__name__)

RESTORE_FROM = "RestoreFromPath"
"""Annotation of a checkpoint's descriptor: it lies unpacked at this path (plugins/services/tasks/local.go)."""

Adjust = Callable[[str, str, Mapping[str, Json]], Mapping[str, Json]]
"""Namespace, id and specification to the specification that plugins made of it. Blocks."""


class Creator:
    def __init__(
        self, registry: Registry[Task], adjust: Adjust | None = None, activations: Activations | None = None
    ) -> None:
        self._registry = registry
        self._adjust = adjust
        self._activations = activations or Activations(None)
        self._creating: set[tuple[str, str]] = set()

    async def create(self, namespace: str, creation: Creation) -> int:
        """The pid. A caller that is cancelled leaves nothing: the creation ends, and is undone behind its back.

        Raises errors.AlreadyExists, and as carriers and shims do.
        """
        key = (namespace, creation.id)
        if key in self._creating or self._registry.taken(*key):
            raise errors.AlreadyExists(f'task "{creation.id}" in namespace "{namespace}": already exists')
        lodging = lodgings.find(self._registry, namespace, creation)
        carrier = lodging or self._registry.carriers.choose(creation.runtime)
        self._creating.add(key)
        making = asyncio.get_running_loop().create_task(self._create(namespace, creation, carrier))
        making.add_done_callback(lambda _: self._creating.discard(key))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            self._registry.background(self._abandon(key, making))
            raise

    async def _create(self, namespace: str, creation: Creation, carrier: Carrier) -> int:
        registry = self._registry
        checkpoint = _checkpoint(creation)
        record = Record(
            creation.runtime, creation.stdio, carrier.binary, sandbox=creation.sandbox if carrier.lodges else ""
        )
        task = Task(await registry.disk(self._lay_out, namespace, creation, record), record, carrier)
        # Not before there is a bundle: an earlier task of that id ends its activation when its bundle is gone.
        creation, activated = await self._activated(task, creation)
        try:
            if carrier.logs:
                task.log = ShimLog(task.bundle)
            await self._start(task, creation)
            pid = await _ask(task, creation, checkpoint)
        except BaseException as error:
            await self._undo(task)
            if activated:
                await self._activations.deactivate(*task.key)
            if isinstance(error, errors.Error):
                raise type(error)(f"failed to create shim task: {error.message}", hint=error.hint) from error
            raise
        registry.add(task)
        if task.link is not None and task.link.lost:
            registry.lost(task)
        return pid

    async def _activated(self, task: Task, creation: Creation) -> tuple[Creation, bool]:
        """What is left for the shim to mount, and whether the rest is to be undone with the task."""
        carriers, path = self._registry.carriers, task.carrier.binary
        try:
            return await self._activations.activate(
                task.bundle.namespace, creation, carriers.binary(path) if path else None
            )
        except BaseException:
            await self._undo(task)
            raise

    def _lay_out(self, namespace: str, creation: Creation, record: Record) -> Bundle:
        """The bundle with the record in it, so that whatever runs later can be found by the next daemon."""
        bundles = self._registry.bundles
        spec = self._adjusted(namespace, creation)
        with faults.translated(f'task "{creation.id}" in namespace "{namespace}"'):
            bundle = bundles.create(namespace, creation.id, spec)
            try:
                records.save(bundle, record)
            except BaseException:
                bundles.delete(bundle)
                raise
        return bundle

    def _adjusted(self, namespace: str, creation: Creation) -> bytes:
        if self._adjust is None:
            return creation.spec
        try:
            before = json.loads(creation.spec)
        except (ValueError, RecursionError):
            return creation.spec  # the bundle says what is wrong with it
        after = self._adjust(namespace, creation.id, before)
        return creation.spec if after == before else json.dumps(after).encode()

    async def _start(self, task: Task, creation: Creation) -> None:
        """Get the shim and the connection to it."""
        registry, bundle = self._registry, task.bundle
        endpoint = await task.carrier.start(bundle, creation.options)
        if task.carrier.lodges:
            await registry.disk(write, Path(bundle.path, "sandbox"), creation.sandbox.encode())
        task.record = replace(task.record, endpoint=endpoint)
        if task.carrier.binary or task.carrier.lodges:  # a plugin finds its shims by itself
            await registry.disk(records.save, bundle, task.record)
        task.attach(await registry.links.take(endpoint))

    async def _undo(self, task: Task) -> None:
        """Nothing stays of a task that could not be created. Whatever fails here is logged, the first error counts."""
        try:
            if task.record.endpoint is not None:
                if task.link is not None:
                    await self._registry.shut_down(task.link, task.bundle)
                await task.carrier.cleanup(task.bundle)
        except errors.Error as error:
            log.warning("%s: not cleared up: %s", task.subject, error)
        await self._registry.remove(task, shutdown=False, undone=True)

    async def _abandon(self, key: tuple[str, str], making: asyncio.Task[int]) -> None:
        """The caller is gone, and would not know of the task."""
        await asyncio.wait([making])
        if making.cancelled() or making.exception() is not None:
            return
        task = self._registry.get(*key)
        with contextlib.suppress(errors.Error):
            await task.call("Kill", signal=int(SIGKILL), all=True)
            await task.wait("")
            await task.call("Delete")
        await self._registry.remove(task)


async def _ask(task: Task, creation: Creation, checkpoint: str) -> int:
    options, stdio = creation.options, creation.stdio
    said = await task.call(
        "Create",
        bundle=task.bundle.path,
        rootfs=mounts.to_messages(creation.rootfs),
        terminal=stdio.terminal,
        stdin=stdio.stdin,
        stdout=stdio.stdout,
        stderr=stdio.stderr,
        checkpoint=checkpoint,
        options=Any(type_url=options.type_url, value=options.value) if options else None,
    )
    return int(said.pid)


def _checkpoint(creation: Creation) -> str:
    """The directory to restore from, "" for a new container. Raises errors.Unimplemented for an image in the store."""
    if creation.checkpoint is not None:
        path = creation.checkpoint.annotations.get(RESTORE_FROM, "")
        if not path:
            raise errors.Unimplemented(f'task "{creation.id}": restoring from an image of the store: not implemented')
        return path
    if creation.options is None or creation.options.type_url != runc_options.Options.DESCRIPTOR.full_name:
        return ""
    told = typeurls.unpack(Any(type_url=creation.options.type_url, value=creation.options.value))
    return told.criu_image_path if isinstance(told, runc_options.Options) else ""
