"""The socket's way from a private directory to its name."""

import os
import shutil
import socket
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_server_grpc.moorings import Mooring


def mooring(path: Path) -> Mooring:
    return Mooring(path, os.geteuid(), os.getegid())


def bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_published_socket_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0, 0o077):
        place = mooring(tmp_path / f"{umask}.sock")
        before = os.umask(umask)
        try:
            listener = bind(place.stage())
            place.publish()
        finally:
            os.umask(before)
        with listener:
            assert stat.S_IMODE((tmp_path / f"{umask}.sock").stat().st_mode) == 0o660
        place.remove()
    assert list(tmp_path.iterdir()) == []


def test_the_name_is_never_wider_than_the_mode(tmp_path: Path) -> None:
    path, seen, stop = tmp_path / "s.sock", set[int](), threading.Event()

    def watch() -> None:
        while not stop.is_set():
            try:
                seen.add(stat.S_IMODE(path.stat().st_mode))
            except FileNotFoundError:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = os.umask(0)
    try:
        for _ in range(50):
            place = mooring(path)
            staged = place.stage()
            assert stat.S_IMODE(staged.parent.stat().st_mode) == 0o700
            with bind(staged):
                place.publish()
            place.remove()
    finally:
        os.umask(before)
        stop.set()
        watcher.join()
    assert seen <= {0o660}


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    bind(path).close()
    place = mooring(path)
    with bind(place.stage()):
        place.publish()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_living_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with bind(path):
        with pytest.raises(errors.FailedPrecondition, match="in use"):
            mooring(path).stage()
        assert path.is_socket()


def test_something_else_at_the_path_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(errors.FailedPrecondition):
        mooring(path).stage()
    assert path.read_text() == "precious"


def test_remove_leaves_the_socket_of_a_successor(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    old = mooring(path)
    with bind(old.stage()):
        old.publish()
    path.unlink()
    with bind(path):
        old.remove()
        assert path.is_socket()


def test_missing_directories_are_made_passable(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        place = mooring(tmp_path / "a" / "b" / "s.sock")
        place.stage()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b")] == [0o711, 0o711]
    place.remove()


def test_publishing_unstaged_is_our_fault(tmp_path: Path) -> None:
    with pytest.raises(errors.Internal):
        mooring(tmp_path / "s").publish()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_directory_that_refuses_is_told_with_a_next_step() -> None:
    """What came out had the name of the private directory, and no path where the directory was closed."""
    base = Path(tempfile.mkdtemp())
    try:
        for mode in (0o755, 0o711):
            base.chmod(mode)
            os.setresuid(65534, 65534, 0)
            try:
                with pytest.raises(errors.FailedPrecondition, match=rf'"{base}/s": Permission denied.*\(let uid 65534'):
                    mooring(base / "s").stage()
            finally:
                os.setresuid(0, 0, 0)
        assert list(base.iterdir()) == []
    finally:
        shutil.rmtree(base)
