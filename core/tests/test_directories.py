import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from moorage_core import directories
from moorage_sdk import errors

Nobody = Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    old = os.umask(request.param)
    yield request.param
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    assert mode(directories.exact(tmp_path / "a" / "b" / "state", 0o711)) == 0o711
    assert mode(tmp_path / "a" / "b") == mode(tmp_path / "a") == 0o711
    assert mode(directories.private(tmp_path / "p")) == 0o700


@pytest.mark.usefixtures("umask")
def test_existing_directories_are_brought_to_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.mkdir()
    path.chmod(0o777)
    assert mode(directories.exact(path, 0o700)) == 0o700
    path.chmod(0o755)
    assert mode(directories.private(path)) == 0o700


def test_a_directory_that_its_plugin_opened_for_passage_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "tasks"
    path.mkdir()
    path.chmod(0o711)
    assert mode(directories.private(path)) == 0o711


def test_existing_parents_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    directories.exact(tmp_path / "a" / "b", 0o700)
    assert mode(tmp_path / "a") == 0o755


@pytest.mark.parametrize("make", [lambda path: directories.exact(path, 0o700), directories.private])
def test_a_file_in_the_way_is_named(tmp_path: Path, make: object) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(errors.FailedPrecondition, match="file"):
            make(path)  # type: ignore[operator]


def test_a_name_too_long_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPrecondition, match="File name too long"):
        directories.exact(tmp_path / ("x" * 300), 0o700)


@pytest.mark.parametrize("mode", [0o755, 0o555, 0o700])
def test_a_directory_of_somebody_else_is_refused_with_a_next_step(public: Path, nobody: Nobody, mode: int) -> None:
    """Only the lock in it was refused, or nothing before its first use."""
    path = public / "root"
    path.mkdir()
    path.chmod(mode)
    with nobody(), pytest.raises(errors.PermissionDenied, match=r'root": not writable by uid 65534 \(give it to'):
        directories.exact(path, 0o700)
    with nobody(), pytest.raises(errors.PermissionDenied, match=rf'below": Permission denied .*write in "{path}"'):
        directories.exact(path / "below", 0o700)
    assert list(path.iterdir()) == []


def test_a_plugins_directory_that_cannot_be_closed_is_named(public: Path, nobody: Nobody) -> None:
    """It came out as a bare PermissionError."""
    path = public / "plugin"
    path.mkdir()
    path.chmod(0o755)
    with nobody(), pytest.raises(errors.PermissionDenied, match=f'"{path}": open to others: Operation not permitted'):
        directories.private(path)


def test_missing_are_the_outermost_first(tmp_path: Path) -> None:
    assert directories.missing(tmp_path / "a" / "b") == [tmp_path / "a", tmp_path / "a" / "b"]
    assert directories.missing(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_read_only_directory_is_named(tmp_path: Path) -> None:
    """It came out as a bare OSError with a traceback."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(errors.FailedPrecondition, match=f'"{tmp_path}": Read-only file system \\(mount it'):
            directories.exact(tmp_path, 0o700)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
