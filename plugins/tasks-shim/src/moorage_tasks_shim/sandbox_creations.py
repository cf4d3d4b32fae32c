"""Making a sandbox: bundle, shim, CreateSandbox; and undoing all of it when a step fails or the caller is gone."""

from __future__ import annotations

import logging
from dataclasses import replace

from moorage_api.convert import mounts, payloads
from moorage_sdk import errors
from moorage_sdk.events import Exchange
from moorage_sdk.sandboxes import Creation
from moorage_sdk.tasks import Bundle
from moorage_sys import faults
from moorage_tasks_shim import deaths, records
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.records import Record
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.sandboxes import Sandbox

log = logging.getLogger(__name__)


class SandboxCreator:
    """Makes sandboxes and takes them away."""

    def __init__(self, registry: Registry[Sandbox], exchange: Exchange) -> None:
        self._registry = registry
        self._exchange = exchange

    async def create(self, namespace: str, creation: Creation) -> None:
        """A caller that is cancelled leaves nothing. Raises errors.AlreadyExists, and as carriers and shims do."""
        await self._registry.make(
            namespace, creation.sandbox.id, lambda: self._create(namespace, creation), self.dissolve
        )

    async def dissolve(self, sandbox: Sandbox) -> None:
        """Nothing stays of a sandbox that could not be created or started. What fails here is logged."""
        sandbox.leaving = True
        if sandbox.link is not None:
            await self._end(sandbox)
        await self.remove(sandbox)

    async def remove(self, sandbox: Sandbox) -> None:
        """The shim has no sandbox any more: clear up after it as after one that died, and forget it.

        The end of a task is announced that there never was, for so it is in containerd, where any shim whose
        connection is closed counts as a dead one with a task (cleanupAfterDeadShim in core/runtime/v2/shim.go).
        """
        if sandbox.carrier.binary and sandbox.record.endpoint is not None:
            try:
                deaths.announce(self._exchange, *sandbox.key, await sandbox.clean_up())
            except errors.Error as error:
                log.warning("%s: not cleared up: %s", sandbox.subject, error)
        await self._registry.remove(sandbox, shutdown=False)

    async def _create(self, namespace: str, creation: Creation) -> Sandbox:
        registry, runtime = self._registry, creation.sandbox.runtime.name
        if preset := registry.carriers.presets.find(runtime):
            creation = await registry.disk(preset.prepare_sandbox, namespace, creation)
        carrier = registry.carriers.choose(runtime)
        record = Record(runtime, binary=carrier.binary)
        sandbox = Sandbox(
            await registry.disk(self._lay_out, namespace, creation, record, carrier.program), record, carrier
        )
        try:
            sandbox.log = ShimLog(sandbox.bundle)
            await self._start(sandbox, creation)
            await _ask(sandbox, creation)
        except BaseException as error:
            await self.dissolve(sandbox)
            if isinstance(error, errors.Error):
                subject = f"failed to create sandbox {creation.sandbox.id}"
                raise type(error)(f"{subject}: {error.message}", hint=error.hint) from error
            raise
        registry.add(sandbox)
        if sandbox.link is not None and sandbox.link.lost:
            registry.lost(sandbox)
        return sandbox

    def _lay_out(self, namespace: str, creation: Creation, record: Record, program: str) -> Bundle:
        """The bundle with the record in it, so that whatever runs later can be found by the next daemon."""
        bundles, sandbox = self._registry.bundles, creation.sandbox
        with faults.translated(f'sandbox "{sandbox.id}" in namespace "{namespace}"'):
            bundle = bundles.create_any(namespace, sandbox.id, sandbox.spec.value if sandbox.spec else None)
            records.enter(bundles, bundle, record, program)
        return bundle

    async def _start(self, sandbox: Sandbox, creation: Creation) -> None:
        """Get the shim and the connection to it."""
        registry = self._registry
        endpoint = await sandbox.carrier.start(sandbox.bundle, creation.sandbox.runtime.options)
        sandbox.record = replace(sandbox.record, endpoint=endpoint)
        await registry.disk(records.save, sandbox.bundle, sandbox.record)
        sandbox.attach(await registry.links.take(endpoint))

    async def _end(self, sandbox: Sandbox) -> None:
        try:
            await sandbox.call("ShutdownSandbox", self._registry.timeouts.cleanup)
        except errors.Error as error:
            log.info("%s: shutdown: %s", sandbox.subject, error)
            # A shim that knows no sandboxes would stay for ever.
            if sandbox.link is not None:
                await self._registry.shut_down(sandbox.link, sandbox.bundle)


async def _ask(sandbox: Sandbox, creation: Creation) -> None:
    await sandbox.call(
        "CreateSandbox",
        bundle_path=sandbox.bundle.path,
        rootfs=mounts.to_messages(creation.rootfs),
        options=payloads.to_optional(creation.options),
        netns_path=creation.netns,
        annotations=dict(creation.annotations),
    )
