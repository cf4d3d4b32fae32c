import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_kv import Store, validation
from moorage_sdk import errors


def fill(path: Path, rows: int = 400) -> None:
    store = Store.open(path, tables=("rows",), map_size=64 << 20)
    store.write(lambda txn: [txn.table("rows").put(b"%06d" % n, b"v" * 300) for n in range(rows)])
    store.write(lambda txn: txn.table("rows").put(b"big", b"b" * 50_000))
    store.close()


def reopen(path: Path) -> None:
    store = Store.open(path, tables=("rows",), map_size=64 << 20)
    with store.read() as txn:
        list(txn.table("rows").scan())
    store.close()


def test_a_store_closed_in_order_is_not_walked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.setattr(validation, "verdict", lambda directory: pytest.fail("walked"))
    reopen(tmp_path)
    reopen(tmp_path)
    assert validation.unseal(tmp_path)
    assert not validation.unseal(tmp_path)


def test_that_the_note_is_gone_survives_a_power_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the note back, and the times of the file as they were, a file that changed since would not be walked."""
    fill(tmp_path)
    synced: list[list[str]] = []
    real = os.fsync

    def recorded(fd: int) -> None:
        synced.append(os.listdir(fd))
        real(fd)

    monkeypatch.setattr(os, "fsync", recorded)
    assert validation.unseal(tmp_path)
    assert synced and validation.CLEAN not in synced[-1] and validation.DATA in synced[-1]


def test_a_changed_or_copied_file_is_walked(tmp_path: Path) -> None:
    fill(tmp_path)
    data = tmp_path / validation.DATA
    os.utime(data, ns=(0, 1))
    assert not validation.unseal(tmp_path)
    assert validation.verdict(tmp_path) == ""
    reopen(tmp_path)


def test_truncation_at_any_offset_is_an_error_and_never_a_signal(tmp_path: Path) -> None:
    fill(tmp_path, 200)
    whole = (tmp_path / validation.DATA).read_bytes()
    script = (
        "import sys; from moorage_kv import Store; from moorage_sdk import errors\n"
        "for path in sys.argv[1:]:\n"
        "    try: store = Store.open(path, tables=('rows',), map_size=64 << 20)\n"
        "    except errors.DataLoss: print('refused'); continue\n"
        "    with store.read() as txn: list(txn.table('rows').scan())\n"
        "    store.close(); print('opened')\n"
    )
    paths = []
    for number in range(12):
        path = tmp_path / f"cut-{number}"
        path.mkdir()
        (path / validation.DATA).write_bytes(whole[: 1 + len(whole) * number // 12])
        paths.append(str(path))
    run = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run
    assert run.stdout.split().count("refused") == 12


def test_zeroed_and_scrambled_pages_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    data = tmp_path / validation.DATA
    whole = data.read_bytes()
    data.write_bytes(bytes(8192) + whole[8192:])
    with pytest.raises(errors.DataLoss, match="damaged"):
        reopen(tmp_path)
    refused = 0
    for page in range(2, len(whole) // 4096):
        data.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        refused += bool(validation.verdict(tmp_path)) if page % 6 == 0 else 0
    assert refused > 0


def test_extent_reads_both_metas(tmp_path: Path) -> None:
    fill(tmp_path)
    extent = validation.extent(tmp_path)
    assert extent.complete
    os.truncate(tmp_path / validation.DATA, extent.needed - 4096)
    assert not validation.extent(tmp_path).complete
    os.truncate(tmp_path / validation.DATA, 100)
    assert validation.extent(tmp_path).needed == 0
