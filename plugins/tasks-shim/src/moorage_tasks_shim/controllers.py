"""The slot ``sandbox-controller`` over shims (plugins/sandbox/controller.go in containerd v2.3)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from moorage_api.convert import payloads, platforms, sandboxes, timestamps
from moorage_sdk import errors, identifiers
from moorage_sdk.namespaces import required
from moorage_sdk.platforms import Platform
from moorage_sdk.sandboxes import Creation, Instance, Metric, SandboxController, Status
from moorage_sdk.sandboxes import Sandbox as Record
from moorage_sdk.tasks import Exit
from moorage_tasks_shim.recoveries import Recovery
from moorage_tasks_shim.registries import Registry
from moorage_tasks_shim.sandbox_creations import SandboxCreator
from moorage_tasks_shim.sandboxes import Sandbox


class ShimSandboxController(SandboxController):
    """Looks up the sandbox and passes the call on to its shim."""

    def __init__(self, registry: Registry[Sandbox], creator: SandboxCreator, recovery: Recovery[Sandbox]) -> None:
        self._registry = registry
        self._creator = creator
        self._recovery = recovery

    async def create(self, namespace: str, creation: Creation) -> None:
        required(namespace)
        identifiers.validate(creation.sandbox.id, "sandbox id")
        await self._recovery.loaded()
        await self._creator.create(namespace, creation)

    async def start(self, namespace: str, id: str) -> Instance:
        """An unknown sandbox is an error of no class here, as it is there."""
        try:
            sandbox = await self._get(namespace, id)
        except errors.NotFound as error:
            raise errors.Error(f'failed to start sandbox "{id}": unable to find it') from error
        try:
            said = await sandbox.call("StartSandbox")
        except errors.Error as error:
            # One whose shim is out of reach is being looked for, which is for the search to end.
            if sandbox.link is not None and not sandbox.link.lost:
                await self._creator.dissolve(sandbox)
            raise _about(error, f"failed to start sandbox {id}") from error
        return Instance(
            id=id,
            pid=said.pid,
            created_at=timestamps.from_message(said.created_at),
            address=sandbox.address,
            version=sandbox.version,
            spec=payloads.optional(said.spec),
        )

    async def platform(self, namespace: str, id: str) -> Platform:
        sandbox = await self._get(namespace, id)
        try:
            said = await sandbox.ask("Platform")
        except errors.Error as error:
            raise _about(error, "failed to get sandbox platform") from error
        return platforms.from_message(said.platform)

    async def stop(self, namespace: str, id: str, timeout: float = 0.0) -> None:
        try:
            await (await self._get(namespace, id)).ask("StopSandbox", timeout_secs=int(timeout))
        except (errors.NotFound, errors.Unavailable):
            return  # a shim that is not there any more has nothing that runs
        except errors.Error as error:
            raise _about(error, "failed to stop sandbox") from error

    async def wait(self, namespace: str, id: str) -> Exit:
        sandbox = await self._get(namespace, id)
        try:
            return await sandbox.wait()
        except errors.Error as error:
            raise _about(error, f"failed to wait sandbox {id}") from error

    async def status(self, namespace: str, id: str, *, verbose: bool = False) -> Status:
        try:
            sandbox = await self._get(namespace, id)
        except errors.NotFound:
            return Status(id, exited_at=time.time_ns())
        try:
            said = sandboxes.status_from_message(await sandbox.ask("SandboxStatus", verbose=verbose))
        except errors.Error as error:
            raise _about(error, f"failed to query sandbox {id} status") from error
        return replace(said, address=sandbox.address, version=sandbox.version)

    async def shutdown(self, namespace: str, id: str) -> None:
        sandbox = await self._get(namespace, id)
        async with sandbox.ending:
            if not self._registry.holds(sandbox):
                raise sandbox.gone()
            sandbox.leaving = True
            try:
                await sandbox.call("ShutdownSandbox")
            except errors.Error as error:
                # The usual end of the shim may come before its answer.
                if sandbox.link is None or not sandbox.link.lost:
                    sandbox.leaving = False
                    raise _about(error, "failed to shutdown sandbox") from error
            await self._creator.remove(sandbox)

    async def metrics(self, namespace: str, id: str) -> Metric | None:
        said = await (await self._get(namespace, id)).ask("SandboxMetrics")
        return sandboxes.metric_from_message(said.metrics) if said.HasField("metrics") else None

    async def update(self, namespace: str, id: str, sandbox: Record, paths: Sequence[str] = ()) -> None:
        """The Sandbox API of shims has no word for it, so that also there nothing happens."""
        required(namespace)

    async def _get(self, namespace: str, id: str) -> Sandbox:
        required(namespace)
        await self._recovery.loaded()
        return self._registry.get(namespace, id)


def _about(error: errors.Error, subject: str) -> errors.Error:
    return type(error)(f"{subject}: {error.message}", hint=error.hint)
