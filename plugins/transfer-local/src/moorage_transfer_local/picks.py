"""Picks: which of the manifests of an image is unpacked for whom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.platforms import preference
from moorage_sdk.transfers import Unpack
from moorage_transfer_local.manifests import Config, Manifest, parse_config

_log = logging.getLogger(__name__)


@dataclass
class Found:
    """A manifest of the image; ``data`` is its configuration, None where it is of no kind that could be unpacked.

    The configuration is looked into only for unpacking: signatures and charts carry ones that are none.
    """

    descriptor: Descriptor
    manifest: Manifest
    data: bytes | None
    wanted: bool = True

    @cached_property
    def config(self) -> Config:
        """Raises errors.InvalidArgument."""
        return parse_config(self.data or b"", self.manifest.config)


def choose(
    found: Sequence[Found], unpacks: Sequence[Unpack], default: Callable[[], str], *, strict: bool
) -> list[tuple[Found, str]]:
    """Which manifest goes into which snapshotter; ``default`` says which one is meant by who names none."""
    result = []
    for unpack in unpacks:
        if (item := _fitting(found, unpack, strict)) is not None:
            result.append((item, unpack.snapshotter or default()))
        else:
            _log.warning("nothing of %d manifests to unpack for %s", len(found), unpack.platform)
    return list({(item.descriptor.digest, name): (item, name) for item, name in result}.values())


def _fitting(found: Sequence[Found], unpack: Unpack, strict: bool) -> Found | None:
    """The best manifest for a platform, else the only one if the operating system is right.

    containerd unpacks for any machine unless told to be strict, for images whose platform is plainly wrong exist.
    """
    images = [item for item in found if item.data is not None]
    ranks = [(preference(unpack.platform, item.config.platform), n) for n, item in enumerate(images)]
    if fitting := [(rank, n) for rank, n in ranks if rank is not None]:
        return images[min(fitting)[1]]
    if len(images) == 1 and not strict:
        return images[0] if images[0].config.platform.os == unpack.platform.os.lower() else None
    return None
