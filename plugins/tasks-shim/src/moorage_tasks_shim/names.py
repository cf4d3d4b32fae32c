"""From the name of a runtime to the binary that starts its shims (core/runtime/v2/shim_manager.go, containerd v2.3)."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from moorage_sdk import errors

PREFIX = "containerd-shim"
"""defaultShimPrefix in pkg/shim/util_unix.go."""


def binary_name(runtime: str) -> str:
    """``io.containerd.kata.v2`` is ``containerd-shim-kata-v2``. Empty for a name of fewer than two parts."""
    parts = runtime.split(".")
    if len(parts) < 2 or not all(parts[-2:]):
        return ""
    return f"{PREFIX}-{parts[-2]}-{parts[-1]}"


def resolve(runtime: str, search: str | None = None) -> Path:
    """The shim's binary: an absolute path as it is, a name by ``PATH`` (or ``search``) and beside the daemon.

    Raises errors.InvalidArgument for something else, errors.NotFound when there is no such binary.
    """
    if runtime.startswith("/"):
        if not Path(runtime).is_file():
            raise errors.NotFound(f'runtime "{runtime}": no such binary: not found')
        return Path(runtime)
    name = binary_name(runtime)
    if "/" in runtime or not name:
        raise errors.InvalidArgument(
            f'runtime "{runtime}": invalid runtime name: invalid argument',
            hint="write a name like io.containerd.runc.v2 or the absolute path of a shim",
        )
    found = shutil.which(name, path=search)
    path = Path(found).absolute() if found else beside(runtime)
    if path is None:
        raise errors.NotFound(f'runtime "{runtime}": binary not installed "{name}": not found')
    return path


def beside(runtime: str) -> Path | None:
    """The shim of a runtime's name that was installed together with the daemon."""
    name = binary_name(runtime)
    for folder in (Path(sys.argv[0]).resolve().parent, Path(sys.executable).parent):
        path = folder / name
        if name and path.is_file() and os.access(path, os.X_OK):
            return path
    return None
