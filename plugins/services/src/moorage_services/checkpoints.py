"""Checkpoints of tasks: into a directory that the client names, or into the content store and back."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from google.protobuf.any_pb2 import Any

from moorage_api.convert import payloads, typeurls
from moorage_api.messages import runc_options
from moorage_sdk import digests, errors
from moorage_sdk.containers import Container
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.events import Payload
from moorage_sdk.metadata import View
from moorage_sdk.mounts import Mount
from moorage_sdk.namespaces import within
from moorage_sdk.tasks import RESTORE_FROM, TaskManager
from moorage_services.pools import Pool

CHECKPOINT = "application/vnd.containerd.container.criu.checkpoint.criu.tar"
CONFIG = "application/vnd.containerd.container.checkpoint.config.v1+proto"
"""Media types of core/images/mediatypes.go in containerd v2.3."""


class Checkpoints:
    """``scratch`` is a directory of mode 0700 for images on their way into the content store."""

    def __init__(self, differs: Sequence[Differ], layers: Pool, scratch: Path) -> None:
        self._differs = tuple(differs)
        self._layers = layers
        self._scratch = scratch

    async def make(
        self, manager: TaskManager, view: View, container: Container, options: Any
    ) -> tuple[Descriptor, ...]:
        """Write a checkpoint. With an image path of the client's own nothing is stored, and nothing is answered."""
        told, payload = _read(options), payloads.optional(options)
        if told.image_path:
            await manager.checkpoint(view.namespace, container.id, told.image_path, payload)
            return ()
        folder = Path(await self._layers.run(tempfile.mkdtemp, prefix="checkpoint-", dir=self._scratch))
        try:
            await manager.checkpoint(view.namespace, container.id, str(folder), payload)
            return await self._layers.run(self._store, view, container, folder)
        finally:
            await self._layers.run(shutil.rmtree, folder, ignore_errors=True)

    @asynccontextmanager
    async def unpacked(self, view: View, image: Descriptor | None) -> AsyncIterator[str]:
        """A directory with the image of the store, to be moved away by who keeps it. "" where there is none to unpack.

        Raises errors.Error for another media type, errors.InvalidArgument for an image of anything but plain files,
        and as Differ.apply.
        """
        if image is None or RESTORE_FROM in image.annotations:
            yield ""
            return
        if image.media_type != CHECKPOINT:
            raise errors.Error(f'unsupported checkpoint type "{image.media_type}"')
        folder = await self._layers.run(tempfile.mkdtemp, prefix="restore-", dir=self._scratch)
        try:
            await self._layers.run(self._unpack, view, image, folder)
            yield folder
        finally:
            await self._layers.run(shutil.rmtree, folder, ignore_errors=True)

    def _unpack(self, view: View, image: Descriptor, folder: str) -> None:
        for differ in self._differs:
            target = (Mount("bind", folder, ("rbind", "rw")),)
            within(differ, view.namespace).apply(replace(image, media_type=OCI_LAYER), target, view.content)
            _check(folder)
            return
        raise errors.Unimplemented("checkpoint: no differ is loaded that could unpack it: not implemented")

    def _store(self, view: View, container: Container, folder: Path) -> tuple[Descriptor, ...]:
        content = view.content
        source = (Mount("bind", os.fspath(folder), ("rbind", "ro")),)
        for differ in self._differs:
            image = within(differ, view.namespace).compare(
                (), source, content, media_type=OCI_LAYER, ref=os.fspath(folder)
            )
            return replace(image, media_type=CHECKPOINT), _write_spec(content, container, folder)
        raise errors.Unimplemented("checkpoint: no differ is loaded that could store it: not implemented")


def _check(folder: str) -> None:
    """criu reads the image as root and by name: a link in it would make it read any file of the host."""
    for path in Path(folder).rglob("*"):  # which does not go through links
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise errors.InvalidArgument(
                f'checkpoint: "{path.relative_to(folder)}" is neither a file nor a directory: invalid argument'
            )


def _read(options: Any) -> runc_options.CheckpointOptions:
    if not options.type_url:
        return runc_options.CheckpointOptions()
    if not typeurls.holds(options, runc_options.CheckpointOptions):
        raise errors.InvalidArgument(f'checkpoint options of type "{options.type_url}": invalid: invalid argument')
    told = typeurls.unpack(options)
    if not isinstance(told, runc_options.CheckpointOptions):
        raise errors.Internal("checkpoint options: decoded as another type")
    return told


def _write_spec(content: ContentStore, container: Container, folder: Path) -> Descriptor:
    spec = payloads.to_message(container.spec or Payload("", b"")).SerializeToString()
    digest = digests.of(spec)
    try:
        with content.writer(os.fspath(folder / "spec"), size=len(spec), expected=digest) as writer:
            writer.write(spec)
            writer.commit(len(spec), digest)
    except errors.AlreadyExists:
        return Descriptor(CONFIG, digest, len(spec))
    return Descriptor(CONFIG, digest, len(spec))
