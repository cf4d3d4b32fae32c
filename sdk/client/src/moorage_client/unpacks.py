"""Unpacking by the client: layer after layer through the Snapshots and Diff services.

The daemon's Transfer service does the same faster; this is for daemons without it and for images that came as
archives. Keys, labels and order are those of containerd's client (``client/image.go``, ``core/unpack/unpacker.go``,
``pkg/rootfs/apply.go``), so that either side finds what the other left.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable

from moorage_client import manifests
from moorage_client.clients import Client
from moorage_client.manifests import Manifest
from moorage_sdk import digests, errors, labels
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.platforms import Platform
from moorage_specs.configs import Config

Report = Callable[[int, int], None]
"""Told how many layers are done, and of how many."""


async def is_unpacked(client: Client, config: Config, snapshotter: str) -> bool:
    """Whether the snapshot of all layers is there. An image without layers needs none."""
    return not config.chain_id or await _exists(client, snapshotter, config.chain_id)


async def unpack(
    client: Client,
    target: Descriptor,
    snapshotter: str,
    platform: Platform | None = None,
    report: Report = lambda done, total: None,
) -> Config:
    """Make the snapshots of an image's layers for one platform; what exists is left as it is. Its configuration.

    Raises errors.NotFound when content is missing, errors.FailedPrecondition for a layer that is not what the
    configuration says, and what ``moorage_sdk.differs.Differ.apply`` raises.
    """
    manifest, config = await manifests.select(client.contents, target, platform)
    if len(manifest.layers) != len(config.diff_ids):
        raise errors.InvalidArgument(
            f'image "{target.digest}": {len(manifest.layers)} layers, but {len(config.diff_ids)} diff ids: '
            "invalid argument"
        )
    async with client.leased() as leased:
        await _unpack_layers(leased, manifest, config, snapshotter, report)
        if config.chain_id:
            reference = {labels.GC_REF_SNAPSHOT + snapshotter: config.chain_id}
            await leased.contents.label(manifest.config.digest, reference)
    return config


async def _unpack_layers(client: Client, manifest: Manifest, config: Config, snapshotter: str, report: Report) -> None:
    total = len(manifest.layers)
    for done, layer in enumerate(manifest.layers):
        report(done, total)
        diff_ids = list(config.diff_ids[: done + 1])
        if await _exists(client, snapshotter, digests.chain_id(diff_ids)):
            continue
        await _apply(client, snapshotter, layer, diff_ids)
        await client.contents.label(layer.digest, {labels.UNCOMPRESSED: diff_ids[-1]})
    report(total, total)


async def _apply(client: Client, snapshotter: str, layer: Descriptor, diff_ids: list[str]) -> None:
    """One layer on top of those before it, under its chain id. Losing a race against another unpacker is success."""
    snapshots, chain = client.snapshots(snapshotter), digests.chain_id(diff_ids)
    parent = digests.chain_id(diff_ids[:-1]) if len(diff_ids) > 1 else ""
    key = f"extract-{time.time_ns() % 10**9}-{base64.urlsafe_b64encode(os.urandom(3)).decode()} {chain}"
    try:
        mounts = await snapshots.prepare(key, parent, {labels.SNAPSHOT_REF: chain})
    except errors.AlreadyExists:
        if not await _exists(client, snapshotter, chain):
            raise
        return
    try:
        applied = await client.diffs.apply(layer, mounts)
        if applied.digest != diff_ids[-1]:
            raise errors.FailedPrecondition(
                f'layer "{layer.digest}": wrong diff id {applied.digest}, expected {diff_ids[-1]}: failed precondition'
            )
        await snapshots.commit(chain, key, {labels.SNAPSHOT_REF: chain})
    except errors.AlreadyExists:
        await _remove(client, snapshotter, key)
    except BaseException:
        await _remove(client, snapshotter, key)
        raise


async def _exists(client: Client, snapshotter: str, key: str) -> bool:
    try:
        await client.snapshots(snapshotter).stat(key)
    except errors.NotFound:
        return False
    return True


async def _remove(client: Client, snapshotter: str, key: str) -> None:
    try:
        await client.snapshots(snapshotter).remove(key)
    except errors.NotFound:
        return
