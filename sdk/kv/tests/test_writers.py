import shutil
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

from moorage_kv import Store, WriteTxn
from moorage_kv.writers import Writer
from moorage_sdk import errors


def open_store(path: Path) -> Store:
    return Store.open(path, tables=("rows",), map_size=8 << 20)


def put(key: bytes, value: bytes = b"x"):  # type: ignore[no-untyped-def]
    return lambda txn: txn.table("rows").put(key, value)


def test_jobs_that_queue_share_a_commit_and_fail_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    gate, before = threading.Event(), store.stats().commits

    def fail(txn: WriteTxn) -> None:
        txn.table("rows").put(b"gone", b"x")
        raise ValueError("mine alone")

    started = threading.Event()
    first = store.submit(lambda txn: started.set() or gate.wait(10))
    assert started.wait(10)
    futures = [store.submit(put(b"%d" % number)) for number in range(20)]
    failing = store.submit(fail)
    gate.set()
    for future in (first, *futures):
        future.result(10)
    with pytest.raises(ValueError, match="mine alone"):
        failing.result(10)
    assert store.stats().commits - before == 2
    with store.read() as txn:
        assert len(txn.table("rows")) == 20
        assert b"gone" not in txn.table("rows")
    store.close()


def test_a_future_is_done_only_after_the_commit(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    seen: list[bytes | None] = []

    def look(_: object) -> None:
        with store.read() as txn:
            seen.append(txn.table("rows").get(b"k"))

    future = store.submit(put(b"k"))
    future.add_done_callback(look)
    future.result(10)
    store.close()
    assert seen == [b"x"]


def test_hooks_run_in_order_after_the_commit_and_only_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path)
    seen: list[int] = []

    def note(number: int) -> None:
        with store.read() as txn:
            assert txn.table("rows").get(b"%d" % number) == b"x"
        seen.append(number)
        if number == 3:
            raise RuntimeError("a hook of foreign code")

    def change(number: int, txn: WriteTxn) -> None:
        txn.table("rows").put(b"%d" % number, b"x")
        txn.after_commit(lambda: note(number))
        if number == 5:
            raise ValueError("not committed")

    futures = [store.submit(lambda txn, number=number: change(number, txn)) for number in range(10)]
    assert [future.exception(10) is None for future in futures] == [number != 5 for number in range(10)]
    assert seen == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert "hook after a commit failed" in caplog.text
    store.close()


def test_a_cancelled_job_does_not_run(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    gate = threading.Event()
    store.submit(lambda txn: gate.wait(10))
    doomed = store.submit(put(b"doomed"))
    assert doomed.cancel()
    gate.set()
    store.write(put(b"next"))
    with store.read() as txn:
        assert list(txn.table("rows").scan_keys()) == [b"next"]
    store.close()


def test_waiting_for_a_write_inside_a_write_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(errors.Internal, match="inside a write"):
        store.write(lambda txn: store.write(put(b"k")))
    store.close()


def test_a_full_map_takes_back_one_job_and_the_store_goes_on(tmp_path: Path) -> None:
    store = Store.open(tmp_path, tables=("rows",), map_size=1 << 20)
    gate = threading.Event()
    store.submit(lambda txn: gate.wait(10))
    small, big = store.submit(put(b"small")), store.submit(put(b"big", b"x" * (2 << 20)))
    after = store.submit(put(b"after"))
    gate.set()
    with pytest.raises(errors.ResourceExhausted):
        big.result(10)
    small.result(10)
    after.result(10)
    with store.read() as txn:
        assert list(txn.table("rows").scan_keys()) == [b"after", b"small"]
    store.write(put(b"later"))
    store.close()


def input_output_error() -> lmdb.Error:
    error = lmdb.Error("mdb_txn_commit: Input/output error")
    error.code = 5  # type: ignore[misc]  # as the C extension sets it
    return error


class Broken:
    """An environment whose commits fail as ``fdatasync`` failing with EIO makes them fail."""

    def __init__(self, env: lmdb.Environment) -> None:
        self.env = env
        self.broken = True

    def begin(self, **options: object) -> object:
        txn = self.env.begin(**options)  # type: ignore[call-overload]
        return BrokenTxn(txn, self) if "parent" not in options else txn


class BrokenTxn:
    def __init__(self, txn: lmdb.Transaction, broken: Broken) -> None:
        self.txn, self.broken = txn, broken

    def __enter__(self) -> object:
        return self.txn

    def __exit__(self, *exc: object) -> None:
        if self.broken.broken:
            self.txn.abort()
            raise input_output_error()
        self.txn.commit()


def test_a_failed_sync_latches_although_the_next_commit_would_succeed(tmp_path: Path) -> None:
    env = lmdb.open(str(tmp_path), max_dbs=2)
    tables = {"rows": env.open_db(b"rows")}
    broken = Broken(env)
    writer = Writer(broken, tables, str(tmp_path))
    with pytest.raises(errors.Unavailable, match="Input/output error"):
        writer.submit(put(b"one")).result(10)
    broken.broken = False
    with pytest.raises(errors.Unavailable, match="restart the daemon"):
        writer.submit(put(b"two")).result(10)
    assert writer.failure is not None
    writer.close()
    with env.begin(db=tables["rows"]) as txn:
        assert txn.stat(tables["rows"])["entries"] == 0
    env.close()


def test_close_commits_what_is_queued_and_refuses_more(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    futures = [store.submit(put(b"%d" % number)) for number in range(100)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(errors.Unavailable, match="closed"):
        store.write(put(b"late"))


SCRIPT = """
import sys
from moorage_kv import Store
from moorage_sdk import errors
store = Store.open(sys.argv[1], tables=("rows",), map_size=8 << 20)
for number in range(8):
    try:
        store.write(lambda txn: txn.table("rows").put(b"%d" % number, b"x" * 9000))
        print("kept", number, flush=True)
    except errors.Unavailable as error:
        print("refused", number, flush=True)
with store.read() as txn:
    print("readable", len(txn.table("rows")), store.state.value, flush=True)
store.close()
"""


def under_strace(path: Path, inject: str) -> list[list[str]]:
    """Run the script with a fault injected into its system calls; the words of each line it printed.

    Without --seccomp-bpf: with it, strace 6.1 ignores injected signals but the first.
    """
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={inject.partition(':')[0]}"]
    command += ["-e", f"inject={inject}", sys.executable, "-c", SCRIPT, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return [line.split() for line in run.stdout.splitlines()]


@pytest.fixture
def strace() -> None:
    probe = [shutil.which("strace") or "false", "-f", "-qq", "-o", "/dev/null", "true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("strace is missing or not allowed to trace")


@pytest.mark.usefixtures("strace")
def test_one_failed_fdatasync_refuses_all_later_writes(tmp_path: Path) -> None:
    lines = under_strace(tmp_path, "fdatasync:error=EIO:when=4")
    verdicts = [line[0] for line in lines[:8]]
    first = verdicts.index("refused")
    assert verdicts == ["kept"] * first + ["refused"] * (8 - first)
    assert lines[8] == ["readable", str(first), "failed"]
    store = open_store(tmp_path)
    with store.read() as txn:
        assert len(txn.table("rows")) == first
    store.write(put(b"again"))
    store.close()


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64"])
def test_killed_at_any_durable_call_what_was_acknowledged_is_there(tmp_path: Path, call: str) -> None:
    died_with = []
    for number in range(1, 100, 2):
        path = tmp_path / str(number)
        lines = under_strace(path, f"{call}:signal=KILL:when={number}")
        kept = [int(line[1]) for line in lines if line[0] == "kept"]
        store = open_store(path)
        with store.read() as txn:
            rows = [int(key) for key in txn.table("rows").scan_keys()]
        store.close()
        assert rows[: len(kept)] == kept
        assert len(rows) <= len(kept) + 1
        if lines and lines[-1][0] == "readable":
            break
        died_with.append(len(kept))
    assert len(died_with) >= 4
    assert max(died_with) >= 6
