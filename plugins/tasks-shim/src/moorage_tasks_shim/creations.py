"""Making a task: bundle, shim, Create; and undoing all of it when a step fails or the caller is gone."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from typing import Any as Json

from moorage_api.convert import mounts, payloads
from moorage_api.messages import runc_options
from moorage_sdk import errors
from moorage_sdk.tasks import RESTORE_FROM, Bundle, Creation
from moorage_sys import faults, files
from moorage_tasks_shim import lodgings, records
from moorage_tasks_shim.activations import Activations
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.tasks import Task

log = logging.getLogger(__name__)

Adjust = Callable[[str, str, Mapping[str, Json]], Mapping[str, Json]]
"""Namespace, id and specification to the specification that plugins made of it. Blocks."""


class Creator:
    def __init__(
        self, registry: Registry[Task], adjust: Adjust | None = None, activations: Activations | None = None
    ) -> None:
        self._registry = registry
        self._adjust = adjust
        self._activations = activations or Activations(None)

    async def create(self, namespace: str, creation: Creation) -> int:
        """The pid. A caller that is cancelled leaves nothing.

        Raises errors.AlreadyExists, and as carriers and shims do.
        """
        key = (namespace, creation.id)
        return await self._registry.make(
            *key, lambda: self._create(namespace, creation), lambda _: self._take_back(*key)
        )

    async def _create(self, namespace: str, creation: Creation) -> int:
        registry = self._registry
        if preset := registry.carriers.presets.find(creation.runtime):
            creation = await registry.disk(preset.prepare, namespace, creation)
        lodging = lodgings.find(registry, namespace, creation)
        carrier = lodging or registry.carriers.choose(creation.runtime)
        checkpoint = _checkpoint(creation)
        record = Record(
            creation.runtime, creation.stdio, carrier.binary, sandbox=creation.sandbox if carrier.lodges else ""
        )
        task = Task(await registry.disk(self._lay_out, namespace, creation, record, carrier.program), record, carrier)
        # Not before there is a bundle: an earlier task of that id ends its activation when its bundle is gone.
        creation, activated = await self._activated(task, creation)
        try:
            task.log = ShimLog(task.bundle)
            if creation.unpacked:
                checkpoint = checkpoint or await registry.disk(registry.bundles.keep, task.bundle, creation.unpacked)
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

    def _lay_out(self, namespace: str, creation: Creation, record: Record, program: str) -> Bundle:
        """The bundle with the record in it, so that whatever runs later can be found by the next daemon."""
        bundles = self._registry.bundles
        spec = self._adjusted(namespace, creation)
        with faults.translated(f'task "{creation.id}" in namespace "{namespace}"'):
            bundle = bundles.create(namespace, creation.id, spec)
            records.enter(bundles, bundle, record, program)
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
            await registry.disk(files.replace, Path(bundle.path, records.SANDBOX), creation.sandbox.encode())
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

    async def _take_back(self, namespace: str, id: str) -> None:
        """End and delete a task that nobody knows of."""
        task = self._registry.get(namespace, id)
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
        options=payloads.to_optional(options),
    )
    return int(said.pid)


def _checkpoint(creation: Creation) -> str:
    """The directory to restore from, "" for a new container. Raises errors.Unimplemented for an image in the store."""
    if creation.checkpoint is not None:
        path = creation.checkpoint.annotations.get(RESTORE_FROM, "")
        if not path and not creation.unpacked:
            raise errors.Unimplemented(f'task "{creation.id}": restoring from an image of the store: not implemented')
        return path
    if creation.options is None or creation.options.type_url != runc_options.Options.DESCRIPTOR.full_name:
        return ""
    told = payloads.decode(creation.options)
    return told.criu_image_path if isinstance(told, runc_options.Options) else ""
