"""Pushes: one image from the store to a registry, from its blobs up to its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from dataclasses import dataclass
from functools import partial

from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.transfers import Push
from moorage_transfer_local.inventories import Inventory, Surveyor
from moorage_transfer_local.sources import source_label
from moorage_transfer_local.uploads import Uploader


@dataclass
class PushSession:
    """One push of ``image``. Runs on a thread of its own."""

    push: Push
    image: Image
    uploader: Uploader
    workers: Executor

    def run(self) -> Image:
        tracker, target = self.uploader.tracker, self.image.target
        tracker.say(f"Pushing to OCI Registry ({self.push.reference})")
        tracker.image("pushing content", target)
        label = source_label(self.uploader.destination.reference.host)
        inventory = Surveyor(self.uploader.content, tracker, label, self.push.platforms).survey(target)
        self._upload(inventory)
        # In this order because ctr draws only when a line with a name comes, and so would never show the first of them.
        tracker.say(f"Completed push to OCI Registry ({self.push.reference})", target)
        tracker.image("pushed content", target)
        return self.image

    def _upload(self, inventory: Inventory) -> None:
        uploader = self.uploader
        self._together([partial(uploader.blob, blob) for blob in inventory.blobs])
        self._together([partial(uploader.document, each, self._tag(each)) for each in inventory.manifests])
        for index in inventory.indexes:
            self._index(index, inventory)

    def _index(self, index: Descriptor, inventory: Inventory) -> None:
        try:
            self.uploader.document(index, self._tag(index))
        except errors.FailedPrecondition as error:
            # Most registries take an index only with all of its manifests.
            hint = f"choose one of its platforms: {len(inventory.manifests)} of its manifests were pushed"
            raise errors.FailedPrecondition(
                f"manifest list/index references to blobs and/or manifests are missing in your target registry: "
                f"{error.message}",
                hint=hint if self.push.platforms else error.hint,
            ) from error

    def _tag(self, descriptor: Descriptor) -> str:
        """The tag goes to what the image's name means, and only if a digest in the reference means the same."""
        reference, target = self.uploader.destination.reference, self.image.target.digest
        return reference.tag if descriptor.digest == target and reference.digest in ("", target) else ""

    def _together(self, works: Sequence[Callable[[], None]]) -> None:
        """Do all at once; the first that fails ends the push, and its error is the one to show."""
        futures = [self.workers.submit(work) for work in works]
        done = wait(futures, return_when=FIRST_EXCEPTION).done
        failures = [error for future in done if (error := future.exception()) is not None]
        if failures:
            self.uploader.stop.stop()
            raise next((error for error in failures if not isinstance(error, errors.Cancelled)), failures[0])
