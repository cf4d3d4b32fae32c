import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_differ_walking.jobs import Apply
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.targets import Target
from moorage_differ_walking.workers import Worker
from moorage_sdk import digests, errors
from moorage_sdk.mounts import Mount
from moorage_testkit.archives import Tar

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
LAYER = Tar().folder("d").file("d/f", b"content").end()


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Apply]:
    for name in ("target", "workspace"):
        (tmp_path / name).mkdir()
    bind = Mount("bind", str(tmp_path / "target"), ("rbind", "rw"))

    def make(**limits: int) -> Apply:
        return Apply(str(tmp_path / "workspace"), Target(mounts=(bind,)), "sniff", limits=Limits(**limits))

    return make


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_fed_piece_by_piece(job: Callable[..., Apply], tmp_path: Path) -> None:
    before = descriptors()
    worker = Worker(job())
    for at in range(0, len(LAYER), 700):
        worker.write(memoryview(LAYER)[at : at + 700])
    assert worker.result().digest == digests.of(LAYER)
    worker.close()
    worker.close()
    assert (tmp_path / "target/d/f").read_bytes() == b"content"
    assert descriptors() == before


@pytest.mark.parametrize("name", ["memfd_create", "write"])
def test_a_worker_that_cannot_be_started_leaves_no_descriptor(
    job: Callable[..., Apply], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refused(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = descriptors()
    with monkeypatch.context() as patched, pytest.raises(OSError, match="open files"):
        patched.setattr(os, name, refused)
        Worker(job())
    assert descriptors() == before


def test_file_is_read_by_the_worker_itself(job: Callable[..., Apply], tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(LAYER)
    with open(tmp_path / "blob", "rb", buffering=0) as file:
        file.seek(100)
        worker = Worker(job(), file.fileno())
        assert worker.result().size == len(LAYER)
        worker.close()


def test_error_of_the_worker_is_raised_where_it_is_fed(job: Callable[..., Apply]) -> None:
    worker = Worker(job())
    with pytest.raises(errors.InvalidArgument, match="checksum"):
        for _ in range(1000):
            worker.write(b"this is no tar archive" * 5000)
    worker.close()


def test_end_too_early_is_data_loss(job: Callable[..., Apply]) -> None:
    worker = Worker(job())
    worker.write(LAYER[:700])
    with pytest.raises(errors.DataLoss):
        worker.result()
    worker.close()


def test_closing_stops_the_worker(job: Callable[..., Apply]) -> None:
    before = descriptors()
    worker = Worker(job())
    worker.write(LAYER[:512])
    worker.close()
    assert worker._process.returncode == -signal.SIGKILL
    assert descriptors() == before


def test_deadline(job: Callable[..., Apply]) -> None:
    worker = Worker(job(seconds=1))
    worker.write(LAYER[:512])
    read, write = os.pipe()
    # The worker waits for more on its input, which stays open.
    assert worker._process.stdin
    os.dup2(worker._process.stdin.fileno(), write)
    try:
        with pytest.raises(errors.DeadlineExceeded, match="within 1 seconds"):
            worker.result()
    finally:
        os.close(read)
        os.close(write)
        worker.close()


def test_killed_worker_is_an_internal_error(job: Callable[..., Apply]) -> None:
    worker = Worker(job())
    worker._process.kill()
    with pytest.raises(errors.Internal, match="status -9"):
        worker.result()
    worker.close()


def test_worker_ends_when_nobody_waits_for_it(job: Callable[..., Apply]) -> None:
    """As after a crash of the daemon: the input stays open here, only the answer has no reader."""
    worker = Worker(job())
    worker.write(LAYER[:512])
    worker._answer.close()
    deadline = time.monotonic() + 30
    while worker._process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker._process.poll() == 1
    worker.close()


def test_worker_sees_nothing_of_the_daemons_environment(
    job: Callable[..., Apply], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LD_PRELOAD", "")
    (tmp_path / "moorage_differ_walking.py").write_text("raise SystemExit('trojan')")
    monkeypatch.chdir(tmp_path)
    worker = Worker(job())
    worker.write(LAYER)
    assert worker.result().size == len(LAYER)
    worker.close()
