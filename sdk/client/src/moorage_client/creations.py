"""From an image to a container: snapshot, user, specification, record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from moorage_client import containers, manifests, unpacks
from moorage_client.clients import Client
from moorage_sdk import errors, labels
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.images import Image
from moorage_sdk.mounts import Mount
from moorage_sdk.platforms import Platform
from moorage_specs import settings, specs, users
from moorage_specs.configs import Config
from moorage_specs.settings import Settings
from moorage_specs.users import User
from moorage_sys import mounts

STOP_SIGNAL = "io.containerd.image.config.stop-signal"
"""Label of containerd's client (client/container_opts.go)."""

RUNC = "io.containerd.runc.v2"
OVERLAYFS = "overlayfs"


@dataclass(frozen=True)
class Plan:
    """What to create. ``labels`` come on top of those that the image's configuration may contribute."""

    id: str
    image: Image
    settings: Settings
    runtime: str = RUNC
    snapshotter: str = OVERLAYFS
    platform: Platform | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


async def create(client: Client, plan: Plan) -> Container:
    """Make snapshot and record, unpacking the image first if need be; what fails leaves nothing behind.

    Raises errors.AlreadyExists for the id, errors.NotFound for content or a user that the image lacks,
    errors.InvalidArgument for settings that make no sense.
    """
    async with client.leased() as leased:
        config = await unpacked_config(leased, plan)
        rootfs = await _prepare(leased, plan, config)
        try:
            user = await resolve_user(plan.settings.user or config.user, rootfs)
            spec = specs.build(client.namespace, plan.id, config, user, plan.settings, settings.this_host())
            return await leased.containers.create(_record(plan, config, spec))
        except BaseException:
            await _remove_snapshot(leased, plan)
            raise


async def _prepare(client: Client, plan: Plan, config: Config) -> tuple[Mount, ...]:
    """The container's snapshot. One that is there already usually belongs to a container of that id: say that then."""
    try:
        return await client.snapshots(plan.snapshotter).prepare(plan.id, config.chain_id)
    except errors.AlreadyExists:
        with suppress(errors.NotFound):
            await client.containers.get(plan.id)
            raise errors.AlreadyExists(
                f'container "{plan.id}": already exists', hint="remove it, or give this one another name"
            ) from None
        raise


async def remove(client: Client, container: Container) -> None:
    """Delete record and snapshot; the task must be gone. Raises errors.NotFound when the record is."""
    await client.containers.delete(container.id)
    if container.snapshot_key:
        try:
            await client.snapshots(container.snapshotter).remove(container.snapshot_key)
        except errors.NotFound:
            return


async def unpacked_config(client: Client, plan: Plan) -> Config:
    """The image's configuration, once its layers are in the snapshotter."""
    target = plan.image.target
    _, config = await manifests.select(client.contents, target, plan.platform)
    if not await unpacks.is_unpacked(client, config, plan.snapshotter):
        await unpacks.unpack(client, target, plan.snapshotter, plan.platform)
    return config


async def resolve_user(user: str, rootfs: tuple[Mount, ...]) -> User:
    """Whom ``user`` means in a root file system, which is mounted read-only for the question if it takes files."""
    if not users.needs_files(user):
        return users.resolve(user, None)
    return await asyncio.to_thread(_resolve_mounted, user, rootfs)


def _resolve_mounted(user: str, rootfs: tuple[Mount, ...]) -> User:
    with mounts.temporary(rootfs, read_only=True) as root:
        return users.resolve(user, root)


def _record(plan: Plan, config: Config, spec: Mapping[str, Any]) -> Container:
    return Container(
        id=plan.id,
        runtime=Runtime(plan.runtime),
        spec=containers.spec_payload(spec),
        image=plan.image.name,
        snapshotter=plan.snapshotter,
        snapshot_key=plan.id,
        labels={
            **labels.without_reserved(config.labels),
            **({STOP_SIGNAL: config.stop_signal} if config.stop_signal else {}),
            **plan.labels,
        },
    )


async def _remove_snapshot(client: Client, plan: Plan) -> None:
    try:
        await client.snapshots(plan.snapshotter).remove(plan.id)
    except errors.NotFound:
        return
