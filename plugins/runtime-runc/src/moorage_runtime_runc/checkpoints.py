"""Checkpoints: the state of a container's processes in files that criu writes and reads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from functools import cache
from pathlib import Path

from moorage_runtime_runc.runtimes import CheckpointFlags, Runtime
from moorage_sdk import errors

log = logging.getLogger(__name__)

LOG = "criu-dump.log"
"""Where a failed checkpoint leaves criu's log, in the bundle (process/init.go)."""

_OUTSIDE = b"Can't lookup mount="
"""criu's word for an open file of a file system that the container does not have (files-reg.c in criu)."""


def needs_criu() -> None:
    """Raises errors.Unimplemented on a host without it."""
    if shutil.which("criu") is None:
        _warn()
        raise errors.Unimplemented("checkpoint: criu is not installed", hint="install the package criu")


@cache
def _warn() -> None:
    """Once: what it means is told to every client that asks."""
    log.warning("criu is not installed: containers are neither saved nor restored")


async def write(runtime: Runtime, bundle: Path, image: str, work: str, flags: CheckpointFlags) -> None:
    """Write a checkpoint into the folder ``image``; ``work`` keeps criu's own files, "" is a folder that goes away.

    Raises errors.Unimplemented without criu, errors.Error that names criu's log.
    """
    needs_criu()
    folder = Path(work) if work else bundle / "criu-work"
    try:
        await runtime.checkpoint(image, str(folder), flags)
    except errors.Error as error:
        first = str(error).partition("\n")[0]
        hint = await asyncio.to_thread(_keep_log, folder, bundle)
        raise errors.Error(f"{first} path= {bundle / LOG}", hint=hint) from error
    finally:
        if not work:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _keep_log(folder: Path, bundle: Path) -> str:
    """Copy criu's log into the bundle; a next step for whoever reads of the failure, or ""."""
    with contextlib.suppress(OSError):
        shutil.copyfile(folder / "dump.log", bundle / LOG)
        if _OUTSIDE in (bundle / LOG).read_bytes():
            return 'a FIFO of the host is open in it: "relay = true" of the runtime gives new containers pipes instead'
    return ""
