"""A manager with handlers that note what is done, and real mounts."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from moorage_mount_manager_lmdb.managers import LmdbMountManager
from moorage_mount_manager_lmdb.records import Records
from moorage_mount_manager_lmdb.roots import Roots
from moorage_mount_manager_lmdb.targets import Targets
from moorage_sdk.activations import ActiveMount, MountHandler
from moorage_sdk.mounts import Mount
from moorage_sys import mounts


class Files(MountHandler):
    """A mount is a file at its target."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failing: BaseException | None = None
        self.busy: OSError | None = None
        self.before: Callable[[], None] = lambda: None

    def mount(self, mount: Mount, target: str, active: Sequence[ActiveMount]) -> ActiveMount:
        self.before()
        if self.failing:
            raise self.failing
        self.calls.append(f"mount {mount.source} after {len(active)}")
        Path(target).write_text(mount.source)
        return ActiveMount(mount, target, 7, {"made": "here"})

    def unmount(self, target: str) -> None:
        if self.busy:
            raise self.busy
        self.calls.append(f"unmount {Path(target).name}")
        Path(target).unlink(missing_ok=True)


class House:
    """One manager after the other in the same folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = Files()
        self.handlers: dict[str, MountHandler] = {"file": self.files}
        self.open()

    @property
    def targets(self) -> Path:
        return self.folder / "t"

    def open(self) -> LmdbMountManager:
        self.records = Records.open(self.folder / "records")
        targets = Targets(self.targets, self.handlers)
        self.manager = LmdbMountManager(self.records, targets, self.handlers, Roots([self.targets, self.folder]))
        return self.manager

    def reopen(self, *, rebooted: bool = False) -> LmdbMountManager:
        """What the next daemon does."""
        self.records.close()
        manager = self.open()
        manager.recover(rebooted=rebooted)
        return manager

    def left(self) -> list[str]:
        """What there is of activations on disk."""
        return sorted(str(path.relative_to(self.targets)) for path in self.targets.rglob("*"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.records.close()
    mounts.unmount_recursive(tmp_path)
