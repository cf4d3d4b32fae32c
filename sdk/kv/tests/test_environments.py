import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_kv import Store, environments, validation
from moorage_sdk import errors


def open_store(path: Path, **options: object) -> Store:
    return Store.open(path, tables=("rows", "other"), map_size=32 << 20, **options)  # type: ignore[arg-type]


READER = """
import os, sys, signal, lmdb
print(os.getpid(), flush=True)
env = lmdb.open(sys.argv[1], max_dbs=4, map_size=32 << 20)
txn = env.begin()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_descriptors_do_not_reach_children(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    ours = [int(link.name) for link in Path("/proc/self/fd").iterdir() if _target(link).startswith(str(tmp_path))]
    assert len(ours) >= 3
    assert not any(os.get_inheritable(fd) for fd in ours)
    store.close()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def test_a_reserve_lies_behind_the_data(tmp_path: Path) -> None:
    store = open_store(tmp_path, reserve=1 << 20)
    store.write(lambda txn: txn.table("rows").put(b"k", b"v" * 5000))
    assert (tmp_path / validation.DATA).stat().st_size > 1 << 20
    store.close()
    store = open_store(tmp_path, reserve=1 << 20)
    with store.read() as txn:
        assert txn.table("rows").get(b"k") == b"v" * 5000
    assert store.stats().used < 1 << 20
    store.close()


def test_names_of_tables_are_checked(tmp_path: Path) -> None:
    with pytest.raises(errors.Internal, match='"_mine"'):
        Store.open(tmp_path, tables=("_mine",))


def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / validation.DATA).write_bytes(b"not a store" * 1000)
    with pytest.raises(errors.DataLoss, match="damaged"):
        open_store(tmp_path)
    assert (tmp_path / validation.DATA).read_bytes().startswith(b"not a store")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_reserve_lets_deletions_go_on_without_a_free_byte(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)], check=True)
    try:
        store = open_store(tmp_path / "store", reserve=4 << 20)
        store.write(lambda txn: [txn.table("rows").put(b"%d" % n, b"x" * 1000) for n in range(500)] and None)
        with contextlib.suppress(OSError):
            (tmp_path / "ballast").write_bytes(bytes(16 << 20))
        assert os.statvfs(tmp_path).f_bavail == 0
        for number in range(500):
            assert store.write(lambda txn, number=number: txn.table("rows").delete(b"%d" % number))
        store.write(lambda txn: txn.table("rows").put(b"new", b"v"))
        store.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_slot_of_a_dead_reader_is_freed(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    child = subprocess.run([sys.executable, "-c", READER, str(tmp_path)], capture_output=True, text=True, check=False)
    store = open_store(tmp_path)
    assert child.stdout.strip() not in store._env.readers().split()
    assert store._env.reader_check() == 0
    store.close()


def test_more_snapshots_than_readers_are_refused_and_nothing_breaks(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with contextlib.ExitStack() as stack:
        for _ in range(environments.READERS):
            stack.enter_context(store.read())
        with pytest.raises(errors.ResourceExhausted):
            stack.enter_context(store.read())
        store.write(lambda txn: txn.table("rows").put(b"k", b"v"))
    with store.read() as txn:
        assert txn.table("rows").get(b"k") == b"v"
    store.close()
