"""The transformations of a step, from left to right."""

from __future__ import annotations

from collections.abc import Sequence

from moorage_mount_manager_lmdb import directories, filesystems, templates
from moorage_mount_manager_lmdb.plans import Step
from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk.activations import ActiveMount
from moorage_sdk.mounts import Mount


def apply(step: Step, roots: Roots, active: Sequence[ActiveMount]) -> Mount:
    """What the step's mount becomes after ``active``. Raises errors.Error, OSError."""
    mount = step.mount
    for name in step.transformations:
        if name == "format":
            mount = templates.fill(mount, active)
        elif name == "mkdir":
            mount = directories.transform(mount, roots)
        else:
            mount = filesystems.transform(mount, roots)
    return mount
