from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_ttrpc import sockets


@pytest.fixture(params=[0o000, 0o077, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_the_mode_is_exact_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    with sockets.listen(tmp_path / "s"):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sockets.listen(path).close()
    assert path.exists() and not sockets.alive(path)
    with sockets.listen(path):
        assert sockets.alive(path)
        with pytest.raises(errors.AlreadyExists, match="another process"):
            sockets.listen(path)


def test_what_is_not_a_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(errors.AlreadyExists):
        sockets.listen(path)
    assert path.read_text() == "precious"


def test_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sockets.listen(path).close()
    known = sockets.identity(path)
    path.unlink()
    (tmp_path / "spacer").touch()
    sockets.listen(path).close()
    if sockets.identity(path) != known:  # a file system may hand out the same inode again
        sockets.remove(path, known)
        assert path.exists()
    sockets.remove(path, sockets.identity(path))
    assert not path.exists()
    sockets.remove(path, known)


def test_long_paths_and_strange_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidArgument, match="longer than"):
        sockets.listen(Path("/tmp") / ("x" * 200))
    assert sockets.path_of("unix:///run/a.sock") == sockets.path_of("/run/a.sock") == Path("/run/a.sock")
    for bad in ("", "unix://", "@abstract", "unix://@x", "tcp://localhost:1", "a\0b"):
        with pytest.raises(errors.InvalidArgument):
            sockets.path_of(bad)
