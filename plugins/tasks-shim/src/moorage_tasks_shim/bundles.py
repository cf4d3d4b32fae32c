"""Bundles on disk: ``<state>/<namespace>/<id>`` for the runtime, ``<root>/<namespace>/<id>`` as its working directory.

Layout and modes are those of core/runtime/v2/bundle.go in containerd v2.3. Everything here blocks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage_sdk import errors
from moorage_sdk.containers import parse_spec
from moorage_sdk.tasks import Bundle
from moorage_sys import files, mounts, paths


@dataclass(frozen=True)
class Bundles:
    """All bundles of a daemon. Both directories may be passed through, so that user namespaces can reach a rootfs."""

    state: Path
    root: Path

    def bundle(self, namespace: str, id: str) -> Bundle:
        return Bundle(str(self.state / namespace / id), namespace, id)

    def create(self, namespace: str, id: str, spec: bytes) -> Bundle:
        """Make the bundle with ``spec`` as its configuration. What fails leaves nothing.

        Raises errors.InvalidArgument for a specification that is not a JSON object, OSError.
        """
        return self._made(namespace, id, spec, _remapped_group(parse_spec(id, spec)))

    def create_any(self, namespace: str, id: str, spec: bytes | None) -> Bundle:
        """Make a bundle whose configuration only its runtime understands, or that has none. Raises OSError."""
        try:
            group = _remapped_group(parse_spec(id, spec or b"{}"))
        except errors.InvalidArgument:
            group = 0
        return self._made(namespace, id, spec, group)

    def _made(self, namespace: str, id: str, spec: bytes | None, group: int) -> Bundle:
        bundle = self.bundle(namespace, id)
        # No task goes by this name, so whatever lies here is left over from a creation that a crash cut short.
        self.delete(bundle)
        try:
            self._fill(bundle, spec, group)
        except BaseException:
            self.delete(bundle)
            raise
        return bundle

    def delete(self, bundle: Bundle) -> None:
        """Unmount the rootfs and remove both directories. Raises OSError, errors.FailedPrecondition for other mounts.

        Each directory is renamed first, so that nobody takes half of one for a bundle. Without one nothing happens.
        """
        path = Path(bundle.path)
        if not _gone(path / "rootfs"):
            mounts.unmount_recursive(path / "rootfs")
        for each in (path, self.root / bundle.namespace / bundle.id):
            _remove(each)

    def keep(self, bundle: Bundle, checkpoint: str) -> str:
        """Move the directory of a checkpoint to where it goes with the bundle; where it is then. Raises OSError."""
        return os.fspath(shutil.move(checkpoint, self.root / bundle.namespace / bundle.id / "checkpoint"))

    def all(self) -> Iterator[Bundle]:
        """Every bundle there is, also of tasks whose shim is gone."""
        yield from (self.bundle(namespace, id) for namespace, id in _entries(self.state))

    def tidy(self, alive: frozenset[tuple[str, str]]) -> None:
        """Remove working directories without a task (a reboot takes bundles only), and what a removal left behind."""
        for namespace, id in _entries(self.root):
            if (namespace, id) not in alive:
                _remove(self.root / namespace / id)
        for base in (self.state, self.root):
            for hidden in base.glob("*/.*"):
                mounts.unmount_recursive(hidden / "rootfs")
                paths.remove_tree(hidden)

    def _fill(self, bundle: Bundle, spec: bytes | None, group: int) -> None:
        path, work = Path(bundle.path), self.root / bundle.namespace / bundle.id
        _directory(path.parent, 0o711)
        _directory(work.parent, 0o711)
        _directory(path, 0o700)
        if group:
            os.chown(path, -1, group)
            path.chmod(0o710)
        _directory(path / "rootfs", 0o711)
        _directory(work, 0o711)
        (path / "work").symlink_to(work)
        if spec is not None:
            files.replace(path / "config.json", spec)


def _directory(path: Path, mode: int) -> None:
    path.mkdir(exist_ok=True)
    path.chmod(mode)  # whatever the umask, and whatever an older daemon left


def _remove(path: Path) -> None:
    hidden = path.with_name(f".{path.name}")
    if os.path.lexists(hidden):
        paths.remove_tree(hidden)
    if not _gone(path):
        path.rename(hidden)
        paths.remove_tree(hidden)


def _gone(path: Path) -> bool:
    """Remove an empty directory; whether it is gone now. It stays when something is in it or mounted on it."""
    # Both other ways read the table of all mounts of the node, which takes longer than all the rest of a removal, and
    # an empty directory that can be removed is no mount point.
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _entries(base: Path) -> Iterator[tuple[str, str]]:
    for namespace in sorted(base.iterdir()):
        if namespace.is_dir() and not namespace.name.startswith("."):
            for entry in sorted(namespace.iterdir()):
                if entry.is_dir() and not entry.name.startswith("."):
                    yield namespace.name, entry.name


def _remapped_group(spec: dict[str, Any]) -> int:
    """The group outside that is root inside, 0 without a user namespace (bundle_linux.go, remappedGID)."""
    linux = spec.get("linux")
    mappings = linux.get("gidMappings") if isinstance(linux, dict) else None
    for mapping in mappings if isinstance(mappings, list) else ():
        if isinstance(mapping, dict) and mapping.get("containerID") == 0 and isinstance(mapping.get("hostID"), int):
            return int(mapping["hostID"])
    return 0
