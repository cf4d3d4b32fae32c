"""The worker: one layer, then the end. ``python3 -I -m moorage_differ_walking JOB ANSWER`` with two descriptors."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from pathlib import Path

from moorage_differ_walking import confinements, jobs
from moorage_differ_walking.jobs import Apply, Compare, Outcome
from moorage_sdk import errors
from moorage_sys import faults, syncing, userns_maps


class _Input:
    """Standard input without buffering, from its beginning: a file's position may be shared with somebody."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):  # a pipe has no position
            os.lseek(0, 0, os.SEEK_SET)

    def read(self, size: int, /) -> bytes:
        return os.read(0, size)


def main(arguments: list[str]) -> None:
    job_fd, answer_fd = int(arguments[1]), int(arguments[2])
    with open(job_fd, "rb") as file:
        job = jobs.load_job(file.read())
    os.write(answer_fd, jobs.dump_outcome(_run(job, answer_fd)))
    # Threads that wait for more input, and destructors, have no say any more.
    os._exit(0)


def _run(job: Apply | Compare, answer_fd: int) -> Outcome | errors.Error:
    try:
        return _apply(job, answer_fd) if isinstance(job, Apply) else _compare(job, answer_fd)
    except errors.Error as error:
        return error
    except OSError as error:
        return faults.translate(error, "layer")
    except MemoryError:
        return errors.ResourceExhausted("layer: out of memory: resource exhausted")
    except Exception as error:  # noqa: BLE001  # the last to see it: told instead of lost with the process
        return errors.Internal(f"layer: {type(error).__name__}: {error}: internal")


def _apply(job: Apply, answer_fd: int) -> Outcome:
    # One verb's modules, and before the pivot: there is one process for each layer, and a pull waits for it.
    from moorage_differ_walking import unpacking
    from moorage_differ_walking.extractions import Extraction

    signal.alarm(job.limits.seconds)
    overlay = bool(job.target.upper)
    devices = not userns_maps.inside_user_namespace()
    confinements.load_everything()
    root, below = confinements.enter_target(job.target, Path(job.workspace))
    confinements.drop([*confinements.WRITING, *([confinements.OVERLAY] if overlay else [])])
    _end_with_parent(answer_fd)
    extraction = Extraction(root, job.limits, overlay=overlay, below=below, devices=devices, compiled=job.compiled)
    outcome = unpacking.unpack(_Input(), job.compression, extraction, job.limits)
    if job.sync:
        syncing.sync_filesystem(root)
    return outcome


def _compare(job: Compare, answer_fd: int) -> Outcome:
    from moorage_differ_walking import comparing

    confinements.load_everything()
    lower, upper = confinements.enter_pair(job.lower, job.upper, Path(job.workspace))
    confinements.drop(confinements.READING)
    _end_with_parent(answer_fd)
    return comparing.write_difference(lower, upper, job.compression, job.epoch, 1)


def _end_with_parent(answer_fd: int) -> None:
    """Stop when nobody waits for the answer any more: the snapshot may be somebody else's to remove by then.

    The parent-death signal will not do: it comes when the *thread* that started this process ends.
    """

    def watch() -> None:
        poll = select.poll()
        poll.register(answer_fd, 0)
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


if __name__ == "__main__":
    main(sys.argv)
