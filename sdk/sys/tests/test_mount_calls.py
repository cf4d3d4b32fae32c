import os
from dataclasses import replace
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mount_api, mount_calls, mountinfo, mounts

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def target(tmp_path: Path):
    (tmp_path / "target").mkdir()
    yield tmp_path / "target"
    mounts.unmount_recursive(tmp_path / "target")


def bind(source: Path, *options: str, target: str = "") -> Mount:
    source.mkdir(exist_ok=True)
    return Mount("bind", str(source), options or ("rbind", "rw"), str(target))


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


def test_read_only_bind_mount_rejects_writes_and_leaves_the_source_alone(tmp_path: Path, target: Path) -> None:
    mount_calls.perform(bind(tmp_path / "source", "rbind", "ro"), str(target))
    with pytest.raises(OSError, match="Read-only"):
        (target / "file").touch()
    (tmp_path / "source/file").touch()
    assert (target / "file").exists()


def test_propagation_is_a_call_of_its_own(tmp_path: Path, target: Path) -> None:
    mount_calls.perform(bind(tmp_path / "source", "rbind", "rprivate"), str(target))
    assert mountinfo.holding(str(target)).optional == ()


def test_a_mount_that_cannot_be_finished_is_taken_off_again(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bind mounts take several calls, and whoever called knows of none."""
    with pytest.raises(errors.InvalidArgument, match="propagation"):
        mount_calls.perform(bind(tmp_path / "source", "bind", "shared", "slave"), str(target))
    assert mountinfo.beneath(str(target)) == []
    mount_calls.perform(bind(tmp_path / "first"), str(target))
    whole = mount_calls.call

    def refusing(source: str, target: str, fstype: str, flags: int, data: str) -> None:
        if flags & mount_calls.MS_REMOUNT:
            raise PermissionError(1, "refused", target)
        whole(source, target, fstype, flags, data)

    monkeypatch.setattr(mount_calls, "call", refusing)
    with pytest.raises(PermissionError):
        mount_calls.perform(bind(tmp_path / "source", "bind", "ro"), str(target))
    assert [entry.root for entry in mountinfo.beneath(str(target))] == [mountinfo.holding(str(target)).root]


def test_error_names_source_and_target(tmp_path: Path, target: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        mount_calls.perform(Mount("bind", str(tmp_path / "absent"), ("bind",)), str(target))
    assert (caught.value.filename, caught.value.filename2) == (str(tmp_path / "absent"), str(target))


@pytest.mark.parametrize("layers", [2, 128, 400])
def test_overlay_with_more_lower_directories_than_a_page_holds(tmp_path: Path, target: Path, layers: int) -> None:
    mount_calls.perform(
        overlay(tmp_path, layers, "a-rather-long-name-of-a-directory-that-holds-the-layers"), str(target)
    )
    assert len(list(target.iterdir())) == layers
    (target / "new").touch()
    assert (tmp_path / "upper/new").exists()


@pytest.mark.parametrize("layers", [2, 128])
@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("noatime",), {"noatime"}),
        (("strictatime", "nodiratime"), {"nodiratime"}),
        (("nosuid",), {"nosuid", "relatime"}),
    ],
)
def test_flags_reach_overlays_of_any_length(
    tmp_path: Path, target: Path, layers: int, options: tuple[str, ...], shown: set[str]
) -> None:
    made = overlay(tmp_path, layers, "a-rather-long-name-of-a-directory-that-holds-the-layers")
    mount_calls.perform(replace(made, options=(*made.options, *options)), str(target))
    assert set(mountinfo.holding(str(target)).options) == {"rw", *shown}


def test_long_overlay_without_the_mount_api(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(22, "unknown parameter 'lowerdir+'")

    monkeypatch.setattr(mount_api, "create", refuse)
    mount_calls.perform(overlay(tmp_path, 128, "a-rather-long-name-of-a-directory-that-holds-the-layers"), str(target))
    assert len(list(target.iterdir())) == 128


def test_unknown_helper_says_what_to_install(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_calls, "_HELPER_PATH", "/nonexistent")
    with pytest.raises(errors.FailedPrecondition, match="install fuse3"):
        mount_calls.perform(Mount("fuse3.fuse-overlayfs", "overlay", ()), str(target))


def test_id_mapped_bind_mount_shifts_owners(tmp_path: Path, target: Path) -> None:
    one = bind(tmp_path / "source", "rbind", "rw", "uidmap=0:100000:65536", "gidmap=0:200000:65536")
    try:
        mount_calls.perform(one, str(target))
    except OSError as error:
        pytest.skip(f"this file system has no id-mapped mounts: {error}")
    (tmp_path / "source/file").touch()
    status = (target / "file").stat()
    assert (status.st_uid, status.st_gid) == (100000, 200000)


def test_id_mapped_overlay_maps_its_lower_directories(tmp_path: Path, target: Path) -> None:
    what = overlay(tmp_path, 3, "lower")
    mapped = Mount(what.type, what.source, (*what.options, "uidmap=0:100000:65536", "gidmap=0:100000:65536"))
    try:
        mount_calls.perform(mapped, str(target))
    except OSError as error:
        pytest.skip(f"this file system has no id-mapped mounts: {error}")
    assert (target / "file1").stat().st_uid == 100000
