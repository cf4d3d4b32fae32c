"""Stacks: the plan of unpacking one image, as values.

A layer's snapshot is named by its chain id, which depends on all layers below it, so that equal stacks of any images
are one (OCI image specification, "Layer ChainID").
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from moorage_sdk import digests, labels
from moorage_sdk.descriptors import Descriptor, is_layer
from moorage_sdk.mounts import Mount
from moorage_transfer_local.documents import invalid
from moorage_transfer_local.manifests import Config, Manifest

DIFF_ID = "containerd.io/snapshot/diff-id"
"""``core/snapshots/snapshotter.go`` in containerd v2.3."""

PARENT_CHAIN_ID = "containerd.io/snapshot/parent-chain-id"
"""``core/unpack/unpacker.go`` in containerd v2.3."""


@dataclass(frozen=True)
class Layer:
    """``chain_id`` is the name of the snapshot that comes of it, ``parent`` the one below, "" for the lowest."""

    descriptor: Descriptor
    diff_id: str
    chain_id: str
    parent: str = ""

    @property
    def labels(self) -> dict[str, str]:
        """What a snapshotter is told; one that can bring the layer itself finds it by these (remote snapshotters)."""
        inherited = {
            key: value
            for key, value in self.descriptor.annotations.items()
            if key.startswith(labels.SNAPSHOT_PREFIX) or key == labels.SNAPSHOT_REF
        }
        parent = {PARENT_CHAIN_ID: self.parent} if self.parent else {}
        return {**inherited, labels.SNAPSHOT_REF: self.chain_id, DIFF_ID: self.diff_id, **parent}


@dataclass(frozen=True)
class Stack:
    """All layers of an image, the lowest first, to be unpacked into ``snapshotter``."""

    snapshotter: str
    config: Descriptor
    layers: tuple[Layer, ...]

    @property
    def reference_label(self) -> dict[str, str]:
        """On the configuration: keeps the snapshots for as long as the image."""
        name = labels.GC_REF_SNAPSHOT + self.snapshotter
        return {name: self.layers[-1].chain_id} if self.layers else {}


def plan(manifest: Manifest, config: Config, snapshotter: str) -> Stack:
    """The stack of an image. Raises errors.InvalidArgument unless there is one diff id for each layer."""
    descriptors = [blob for blob in manifest.layers if is_layer(blob.media_type)]
    if len(descriptors) != len(config.diff_ids):
        raise invalid(
            f'image configuration "{manifest.config.digest}"',
            f"{len(config.diff_ids)} diff ids for {len(descriptors)} layers",
        )
    chain = chain_ids(config.diff_ids)
    layers = zip(descriptors, config.diff_ids, chain, ["", *chain], strict=False)
    return Stack(snapshotter, manifest.config, tuple(Layer(*parts) for parts in layers))


def chain_ids(diff_ids: Sequence[str]) -> list[str]:
    """The chain id of every layer. Each is computed from the one before, or an image of N layers would cost N²."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(digests.of(f"{chain[-1]} {diff_id}".encode()) if chain else digests.validate(diff_id))
    return chain


def extraction_key(chain_id: str) -> str:
    """A name for the snapshot while it is filled, unique, and recognised by clients (``UnpackKeyFormat``)."""
    unique = f"{time.time_ns() % 1_000_000_000}-{base64.urlsafe_b64encode(os.urandom(3)).decode()}"
    return f"extract-{unique} {chain_id}"


def as_upper(mounts: Sequence[Mount]) -> tuple[Mount, ...]:
    """The mounts of a snapshot without a parent, dressed as the upper directory that it will become.

    An overlay snapshotter mounts a snapshot without parents as a plain directory, and whiteouts would be carried out
    there instead of being kept for the layers that come below it only when it is committed (``bindToOverlay``).
    """
    if len(mounts) != 1 or mounts[0].type != "bind":
        return tuple(mounts)
    [mount] = mounts
    options = tuple(option for option in mount.options if option != "rbind")
    return (replace(mount, type="overlay", source="overlay", options=(*options, f"upperdir={mount.source}")),)
