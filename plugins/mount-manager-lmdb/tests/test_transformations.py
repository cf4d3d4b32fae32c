from pathlib import Path

from moorage_mount_manager_lmdb import plans
from moorage_mount_manager_lmdb.roots import Roots
from moorage_mount_manager_lmdb.transformations import apply
from moorage_sdk.activations import ActiveMount
from moorage_sdk.mounts import Mount


def test_from_left_to_right(tmp_path: Path) -> None:
    options = ("X-containerd.mkdir.path={{ mount 0 }}/upper:0755", "upperdir={{ mount 0 }}/upper")
    step = plans.split(Mount("format/mkdir/overlay", "overlay", options))
    made = apply(step, Roots([tmp_path]), [ActiveMount(Mount("bind", "/x"), str(tmp_path))])
    assert made == Mount("overlay", "overlay", (f"upperdir={tmp_path}/upper",))
    assert (tmp_path / "upper").is_dir()


def test_files_with_file_systems(tmp_path: Path) -> None:
    (tmp_path / "disk").touch()
    step = plans.split(Mount("mkfs/loop", f"{tmp_path}/disk", ("X-containerd.mkfs.size=1M", "ro")))
    assert apply(step, Roots([tmp_path]), ()) == Mount("loop", f"{tmp_path}/disk", ("ro",))


def test_nothing_to_do() -> None:
    mount = Mount("bind", "{{ mount 0 }}")
    assert apply(plans.split(mount), Roots([]), ()) == mount
