import os
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def target(tmp_path: Path):
    (tmp_path / "target").mkdir()
    yield tmp_path / "target"
    mounts.unmount_recursive(tmp_path / "target")


def bind(source: Path, *options: str, target: str = "") -> Mount:
    source.mkdir(exist_ok=True)
    return Mount("bind", str(source), options or ("rbind", "rw"), target)


def points(path: Path) -> list[str]:
    return [entry.mount_point for entry in mountinfo.beneath(str(path))]


def test_target_is_resolved_inside_the_root(tmp_path: Path, target: Path) -> None:
    (target / "inner").mkdir()
    (target / "link").symlink_to("/inner")
    one = bind(tmp_path / "source", target="/../link")
    mounts.mount(one, target)
    assert points(target) == [str(target / "inner")]
    mounts.unmount_mounts([one], target)
    assert points(target) == []


def test_mount_all_undoes_what_it_did(tmp_path: Path, target: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mounts.mount_all([bind(tmp_path / "source"), Mount("bind", str(tmp_path / "absent"), ("bind",))], target)
    assert points(target) == []


def test_busy_mount_is_detached(tmp_path: Path, target: Path) -> None:
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=64k",)), target)
    with open(target / "open", "w"):
        with pytest.raises(OSError, match="busy"):
            mounts.unmount(target, lazy=False)
        assert mounts.unmount(target)
        assert not mounts.unmount(target)
    assert points(target) == []


def test_recursive_unmount_takes_stacked_and_nested_mounts(target: Path) -> None:
    for _ in range(2):
        mounts.mount(Mount("tmpfs", "tmpfs"), target)
    (target / "a b").mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs"), target / "a b")
    mounts.unmount_recursive(target)
    assert points(target) == []
    mounts.unmount_recursive(target / "absent")


def overlay(tmp_path: Path, layers: int, name: str) -> Mount:
    lower = []
    for index in range(layers):
        directory = tmp_path / name / str(index)
        directory.mkdir(parents=True)
        (directory / f"file{index}").touch()
        lower.append(str(directory))
    for part in ("upper", "work"):
        (tmp_path / part).mkdir()
    upper = (f"workdir={tmp_path}/work", f"upperdir={tmp_path}/upper")
    return Mount("overlay", "overlay", ("index=off", *upper, f"lowerdir={':'.join(reversed(lower))}"))


def test_temporary_mount_goes_away_and_can_be_read_only(tmp_path: Path) -> None:
    what = overlay(tmp_path, 2, "lower")
    volatile = Mount(what.type, what.source, ("volatile", *what.options))
    with mounts.temporary([volatile], folder=tmp_path) as place:
        (place / "written").touch()
    assert not place.exists()
    with mounts.temporary([volatile], read_only=True, folder=tmp_path) as place:
        assert sorted(entry.name for entry in place.iterdir()) == ["file0", "file1", "written"]
        with pytest.raises(OSError, match="Read-only"):
            (place / "file").touch()
    assert points(tmp_path) == []


def test_temporary_mount_goes_away_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), mounts.temporary([bind(tmp_path / "source")], folder=tmp_path):
        raise ZeroDivisionError
    assert [entry.name for entry in tmp_path.iterdir()] == ["source"]


def test_as_read_only() -> None:
    what = Mount("overlay", "overlay", ("index=off", "workdir=/w", "upperdir=/u", "lowerdir=/b:/a", "uidmap=0:1:1"))
    assert mounts.as_read_only(what).options == ("index=off", "lowerdir=/u:/b:/a")
    assert mounts.as_read_only(Mount("bind", "/s", ("rbind", "rw"))).options == ("rbind", "ro")
