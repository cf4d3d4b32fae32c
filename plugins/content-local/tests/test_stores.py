import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_content_local.stores import LocalStore
from moorage_sdk import digests, errors
from moorage_sdk.mounts import Mount
from moorage_sys import mounts


def test_layout_and_modes(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = LocalStore(tmp_path / "root")
        with store.writer("ref") as writer:
            writer.write(b"x")
            digest = writer.commit()
        store.writer("other").close()
    finally:
        os.umask(old)
    blob = tmp_path / "root/blobs/sha256" / digest.removeprefix("sha256:")
    assert blob.read_bytes() == b"x"
    folders = [tmp_path / "root", *(path for path in (tmp_path / "root").rglob("*") if path.is_dir())]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_leftovers_of_a_crash_are_removed_at_start_and_ingests_are_not(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with store.writer("keep") as writer:
        writer.write(b"part")
    (tmp_path / "ingest/half-made").mkdir()
    (tmp_path / "ingest/half-made/data").touch()
    (tmp_path / "ingest/stray").touch()
    again = LocalStore(tmp_path)
    assert [(status.ref, status.offset) for status in again.statuses()] == [("keep", 4)]
    assert len(list((tmp_path / "ingest").iterdir())) == 1


@pytest.mark.parametrize("ref", ["", "another"])
def test_an_ingest_without_its_own_reference_is_nobodys(tmp_path: Path, ref: str) -> None:
    """A power loss may leave the small files empty; by a reference that is not its own nobody could abort it."""
    LocalStore(tmp_path).writer("mine").close()
    next((tmp_path / "ingest").glob("*/ref")).write_text(ref)
    assert LocalStore(tmp_path).statuses() == []
    assert list((tmp_path / "ingest").iterdir()) == []


def test_no_descriptor_left_is_told_as_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path)
    with store.writer("ref") as writer:
        writer.write(b"x")
        digest = writer.commit()

    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(errors.ResourceExhausted, match="too many open files"):
        store.reader(digest)


def test_strange_files_among_the_blobs_are_nobodys(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "blobs/sha256" / ("Z" * 64)).touch()
    (tmp_path / "blobs/sha256/note").touch()
    (tmp_path / "blobs/md5").mkdir()
    assert list(store.walk()) == []


def test_resumes_what_another_process_left_when_killed(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from moorage_content_local.stores import LocalStore;"
        "w = LocalStore(Path(sys.argv[1])).writer('ref', size=2000); w.write(bytes(1000));"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    with LocalStore(tmp_path).writer("ref", size=2000) as writer:
        assert writer.status().offset == 1000
        writer.write(bytes(1000))
        assert writer.commit(2000) == digests.of(bytes(2000))


def test_order_of_a_commit(tmp_path: Path) -> None:
    """Bytes, then the name, then the directory that holds the name."""
    code = (
        "import sys; from pathlib import Path; from moorage_content_local.stores import LocalStore;"
        "w = LocalStore(Path(sys.argv[1])).writer('ref'); w.write(b'x'); print('commit', flush=True); w.commit()"
    )
    calls: list[str] = []
    hook = "import sys, os; real = os.fsync; log = lambda *a: print(*a, flush=True);"
    hook += "os.fsync = lambda fd: (log('fsync', os.readlink(f'/proc/self/fd/{fd}')), real(fd));"
    hook += "sys.addaudithook(lambda e, a: log('rename', *a[:2]) if e == 'os.rename' else None);"
    done = subprocess.run(
        [sys.executable, "-c", hook + code, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    calls = done.stdout.partition("commit\n")[2].splitlines()
    assert [call.split()[0] for call in calls[:3]] == ["fsync", "rename", "fsync"]
    assert calls[0].endswith("/data")
    assert calls[2].endswith("/blobs/sha256")


def test_symbolic_link_in_place_of_the_data_is_not_followed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    store.writer("ref").close()
    (tmp_path / "victim").write_bytes(b"host")
    data = next((tmp_path / "root/ingest").glob("*/data"))
    data.unlink()
    data.symlink_to(tmp_path / "victim")
    with pytest.raises(errors.Error):
        store.writer("ref")
    assert (tmp_path / "victim").read_bytes() == b"host"


@pytest.mark.parametrize("moment", ["fsync", "rename", "renamed", "synced", "removing"])
def test_killed_while_committing(tmp_path: Path, moment: str) -> None:
    """A whole ingest or a whole blob, never half of either, and the other one is gone after the next start."""
    code = f"""
import os, signal, sys
from pathlib import Path
from moorage_content_local import ingests, stores
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
def after(owner, name):
    real = getattr(owner, name)
    setattr(owner, name, lambda *a, **k: (real(*a, **k), die()))
writer = stores.LocalStore(Path(sys.argv[1])).writer("ref", size=3)
writer.write(b"abc")
if {moment!r} == "fsync": os.fsync = die
if {moment!r} == "rename": Path.rename = die
if {moment!r} == "renamed": after(Path, "rename")
if {moment!r} == "synced": after(stores.syncing, "sync_directory")
if {moment!r} == "removing": ingests.paths.remove_tree = die
writer.commit(3)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    store = LocalStore(tmp_path)
    digest = digests.of(b"abc")
    published = moment in ("renamed", "synced", "removing")
    assert [info.digest for info in store.walk()] == ([digest] if published else [])
    assert [status.offset for status in store.statuses()] == ([] if published else [3])
    assert len(list((tmp_path / "ingest").iterdir())) == (0 if published else 1)
    if not published:
        with store.writer("ref", size=3) as writer:
            assert writer.commit(3, digest) == digest


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_full_disk(tmp_path: Path) -> None:
    """Nothing is lost, and throwing away still works without a byte to spare."""
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=512k",)), tmp_path)
    try:
        store = LocalStore(tmp_path)
        with store.writer("small") as writer:
            writer.write(b"small")
            small = writer.commit()
        with store.writer("large") as writer:
            with pytest.raises(errors.ResourceExhausted, match="free some space"):
                writer.write(bytes(1 << 20))
            written = writer.status().offset
        assert 0 < store.status("large").offset == written < 1 << 20
        with pytest.raises(errors.ResourceExhausted), store.writer("another") as writer:
            writer.write(bytes(100_000))
        assert store.info(small).size == 5
        store.abort("large")
        with store.writer("fits") as writer:
            writer.write(bytes(100_000))
            writer.commit(100_000)
        store.delete(small)
    finally:
        mounts.unmount_all(tmp_path)
