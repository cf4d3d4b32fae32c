import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from moorage_kv import State, Store, WriteTxn, stores, validation
from moorage_sdk import errors

TABLES = ("rows", "other")


def open_store(path: Path, **options: object) -> Store:
    return Store.open(path, tables=TABLES, map_size=32 << 20, **options)  # type: ignore[arg-type]


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    store = open_store(tmp_path / "deep" / "store")
    assert store.state is State.OPEN
    assert store.write(lambda txn: txn.table("rows").put(b"k", b"v")) is None
    store.close()
    store.close()
    assert store.state is State.CLOSED
    with pytest.raises(errors.Unavailable), store.read():
        pytest.fail("read a closed store")
    store = open_store(tmp_path / "deep" / "store")
    with store.read() as txn:
        assert txn.table("rows").get(b"k") == b"v"
    store.close()


def test_nothing_is_open_to_others(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store = open_store(tmp_path / "store")
        store.close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "store").iterdir()} == {0o600}


def test_a_second_opener_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(errors.FailedPrecondition, match=f"in use by process {os.getpid()}"):
        open_store(tmp_path)
    store.close()


def test_a_snapshot_does_not_change(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.read() as before:
        store.write(lambda txn: txn.table("rows").put(b"k", b"v"))
        assert before.table("rows").get(b"k") is None
        with store.read() as after:
            assert after.table("rows").get(b"k") == b"v"
    store.close()


def test_closing_waits_for_readers(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.write(lambda txn: txn.table("rows").put(b"k", b"v"))
    inside, go = threading.Event(), threading.Event()
    seen: list[bytes | None] = []

    def read() -> None:
        with store.read() as txn:
            inside.set()
            go.wait(20)
            seen.append(txn.table("rows").get(b"k"))

    reader, closer = threading.Thread(target=read), threading.Thread(target=store.close)
    reader.start()
    assert inside.wait(20)
    closer.start()
    deadline = time.monotonic() + 20
    while store.state is not State.CLOSED and time.monotonic() < deadline:
        time.sleep(0.001)
    with pytest.raises(errors.Unavailable, match="closed"), store.read():
        pytest.fail("read a store that is being closed")
    go.set()
    reader.join(20)
    closer.join(20)
    assert seen == [b"v"]
    open_store(tmp_path).close()


def test_a_reader_that_never_ends_does_not_keep_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PATIENCE", 0.01)
    store = open_store(tmp_path)
    store.write(lambda txn: txn.table("rows").put(b"k", b"v"))
    with store.read() as txn:
        store.close()
        assert txn.table("rows").get(b"k") == b"v"
    assert store.state is State.CLOSED
    store._env.close()


def test_schema_goes_forward_with_a_copy_and_never_back(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.write(lambda txn: txn.table("rows").put(b"k", b"1"))
    store.close()

    def second(txn: WriteTxn) -> None:
        txn.table("rows").put(b"k", (txn.table("rows").get(b"k") or b"") + b"2")

    with pytest.raises(errors.FailedPrecondition, match="no migration from schema 2"):
        open_store(tmp_path, schema=3, migrations={1: second})
    store = open_store(tmp_path, schema=2, migrations={1: second})
    with store.read() as txn:
        assert txn.table("rows").get(b"k") == b"12"
    store.close()
    assert (tmp_path / "schema-1.mdb").stat().st_size > 0
    with pytest.raises(errors.FailedPrecondition, match="has schema 2, this program knows 1"):
        open_store(tmp_path)


def test_a_copy_is_a_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "one")
    store.write(lambda txn: txn.table("rows").put(b"k", b"v"))
    (tmp_path / "two").mkdir()
    store.copy(tmp_path / "two" / validation.DATA)
    store.close()
    store = open_store(tmp_path / "two")
    with store.read() as txn:
        assert txn.table("rows").get(b"k") == b"v"
    store.close()
    assert not list((tmp_path / "two").glob("*.part"))


CHILD = """
import sys, threading, time
from moorage_kv import Store
store = Store.open(sys.argv[1], tables=("rows", "other"), map_size=32 << 20)
number = 0
def step(txn):
    txn.table("rows").put(b"%08d" % number, b"x" * 100)
    txn.table("other").put(b"last", b"%08d" % number)
while True:
    store.write(step)
    print(number, flush=True)
    number += 1
"""


def test_kill_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    for round_ in range(4):
        path = tmp_path / str(round_)
        with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(3 + 17 * round_):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else 2 + 17 * round_
        store = open_store(path)
        with store.read() as txn:
            rows = list(txn.table("rows").scan_keys())
            assert rows == [b"%08d" % n for n in range(len(rows))]
            assert len(rows) > acknowledged
            assert txn.table("other").get(b"last") == rows[-1]
        store.write(lambda txn: txn.table("rows").put(b"more", b""))
        store.close()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a tmpfs")
def test_a_full_disk_refuses_writes_and_recovers(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=True)
    try:
        store = open_store(tmp_path / "store")
        store.write(lambda txn: txn.table("rows").put(b"kept", b"v"))
        with pytest.raises(errors.ResourceExhausted):
            store.write(lambda txn: [txn.table("rows").put(b"%d" % n, b"x" * 4000) for n in range(1000)] and None)
        assert store.state is State.OPEN
        store.write(lambda txn: txn.table("rows").put(b"small", b"v"))
        store.close()
        store = open_store(tmp_path / "store")
        with store.read() as txn:
            assert list(txn.table("rows").scan_keys()) == [b"kept", b"small"]
    finally:
        store.close()
        subprocess.run(["umount", str(tmp_path)], check=True)


class Model(RuleBasedStateMachine):
    """The store against a dict, closed and opened, or abandoned and opened, at random moments."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[bytes, bytes] = {}

    @initialize(path=st.builds(lambda: Path(os.environ["KV_MODEL_DIR"])))
    def start(self, path: Path) -> None:
        self.path = path / os.urandom(8).hex()
        self.store = open_store(self.path, durable=False)

    keys = st.one_of(
        st.binary(min_size=1, max_size=2), st.sampled_from([b"L" * 500, b"L" * 501, b"L" * 400 + b"!" * 90])
    )

    @rule(key=keys, value=st.binary(max_size=5000))
    def put(self, key: bytes, value: bytes) -> None:
        self.store.write(lambda txn: txn.table("rows").put(key, value))
        self.rows[key] = value

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        assert self.store.write(lambda txn: txn.table("rows").delete(key)) == (self.rows.pop(key, None) is not None)

    @rule(key=keys)
    def fail(self, key: bytes) -> None:
        def change_and_raise(txn: WriteTxn) -> None:
            txn.table("rows").put(key, b"wrong")
            raise KeyError(key)

        with pytest.raises(KeyError):
            self.store.write(change_and_raise)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.path, durable=False)

    @rule()
    def compare(self) -> None:
        with self.store.read() as txn:
            assert list(txn.table("rows").scan()) == sorted(self.rows.items())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.compare()
            self.store.close()


def test_the_store_behaves_like_a_dict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setenv("KV_MODEL_DIR", str(tmp_path))
    run_state_machine_as_test(Model, settings=settings(max_examples=40, stateful_step_count=40, deadline=None))
