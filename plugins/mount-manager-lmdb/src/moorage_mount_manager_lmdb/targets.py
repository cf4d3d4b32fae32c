"""The folder with the mounts of activations: one folder each, named by its number, with mount points from 0 on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from moorage_mount_manager_lmdb.records import Ending
from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount, MountHandler
from moorage_sdk.mounts import Mount
from moorage_sys import faults, mountinfo, mounts, paths


class Targets:
    def __init__(self, folder: Path, handlers: Mapping[str, MountHandler]) -> None:
        """``handlers`` is looked into at each use, so one that comes later is found. Raises OSError."""
        self._folder = folder
        self._handlers = handlers
        folder.mkdir(mode=0o700, exist_ok=True)

    def create(self, number: int) -> None:
        """The folder of an activation. Raises OSError."""
        self.of(number).mkdir(mode=0o700)

    def perform(self, number: int, index: int, mount: Mount, active: Sequence[ActiveMount]) -> ActiveMount:
        """One mount, by the handler of its type or by mount(2). Raises what becomes of an OSError, and as those do."""
        place = self.of(number) / str(index)
        with faults.translated(f'mount "{mount.source}" of type {mount.type}'):
            if handler := self._handlers.get(mount.type):
                return handler.mount(mount, str(place), active)
            at = time.time_ns()
            place.mkdir(mode=0o700)
            mounts.mount(mount, place)
            return ActiveMount(mount, str(place), at)

    def undo(self, ending: Ending) -> None:
        """Undo all mounts, last first, and remove the folder. All are tried.

        Raises errors.FailedPrecondition with the first failure; what is gone already is none.
        """
        failed: OSError | errors.Error | None = None
        for index, type in reversed(list(enumerate(ending.types))):
            try:
                self._undo_one(self.of(ending.number) / str(index), type)
            except (OSError, errors.Error) as error:
                failed = failed or error
        try:
            if failed is None:
                paths.remove_tree(self.of(ending.number))
        except (OSError, errors.Error) as error:
            failed = error
        if failed is not None:
            raise errors.FailedPrecondition(
                f"mounts in {self.of(ending.number)}: {failed}: failed precondition"
            ) from failed

    def strangers(self, known: Sequence[int]) -> list[int]:
        """Numbers that nobody knows, of folders that are there."""
        names = [entry.name for entry in self._folder.iterdir() if entry.name.isascii() and entry.name.isdigit()]
        return [int(name) for name in names if int(name) not in known]

    def clear(self, number: int) -> None:
        """Take off whatever is mounted in a folder that no record tells about, then remove it. Raises as ``undo``.

        Every handler is asked to undo what is no directory and so may be its own.
        """
        try:
            places = [place for place in self.of(number).glob("*") if place.is_symlink() or not place.is_dir()]
            for place in sorted(places, key=lambda path: path.name, reverse=True):
                for handler in self._handlers.values():
                    handler.unmount(str(place))
            mounts.unmount_recursive(self.of(number), lazy=False)
        except OSError as error:
            raise errors.FailedPrecondition(f"mounts in {self.of(number)}: {error}: failed precondition") from error
        self.undo(Ending(number))

    def mounted(self, active: Sequence[ActiveMount]) -> bool:
        """Whether everything that was mounted by mount(2) still is."""
        points = {entry.mount_point for entry in mountinfo.beneath(str(self._folder.resolve()))}
        plain = [each for each in active if each.mount.type not in self._handlers and not each.mount.target]
        return all(each.mount_point in points for each in plain)

    def of(self, number: int) -> Path:
        return self._folder / str(number)

    def _undo_one(self, place: Path, type: str) -> None:
        if handler := self._handlers.get(type):
            handler.unmount(str(place))
        elif place.is_symlink():
            raise errors.FailedPrecondition(f'no handler for type "{type}"')
        else:
            # Whatever is inside was mounted by a relative target of the same mount, or by somebody else on top of it.
            mounts.unmount_recursive(place, lazy=False)
