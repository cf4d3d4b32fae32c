from pathlib import Path

import pytest

from moorage_runtime_kata import layers
from moorage_sdk import errors
from moorage_sdk.mounts import Mount


@pytest.mark.parametrize(
    ("type", "options"), [("bind", ("rw", "rbind")), ("bind", ()), ("", ("bind",)), ("none", ("rbind", "ro"))]
)
def test_an_empty_directory_of_the_host_is_no_root(tmp_path: Path, type: str, options: tuple[str, ...]) -> None:
    rootfs = (Mount(type, str(tmp_path), options),)
    with pytest.raises(errors.InvalidArgument, match='container "c": its image has no layers') as refused:
        layers.require('container "c"', rootfs)
    assert refused.value.hint
    (tmp_path / "bin").mkdir()
    layers.require('container "c"', rootfs)


def test_everything_else_passes(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    file.touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    for rootfs in (
        (),
        (Mount("overlay", "overlay", (f"lowerdir={empty}",)),),
        (Mount("erofs", str(file), ("loop",)),),
        (Mount("bind", str(file), ("bind",)),),
        (Mount("bind", str(tmp_path / "gone"), ("bind",)),),
        (Mount("bind", str(empty), ("bind",)), Mount("overlay", "overlay")),
    ):
        layers.require('container "c"', rootfs)
