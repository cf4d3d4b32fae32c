import pytest

from moorage_differ_walking import targets
from moorage_differ_walking.targets import Target
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

OVERLAY = Mount("overlay", "overlay", ("workdir=/w", "upperdir=/u", "lowerdir=/b:/a", "volatile"))
BIND = Mount("bind", "/s", ("rbind", "rw"))


def test_overlay_is_written_beneath() -> None:
    assert targets.plan([OVERLAY]) == Target(upper="/u", lower=("/b", "/a"))
    assert targets.plan([Mount("overlay", "overlay", ("upperdir=/u",))]) == Target(upper="/u")


def test_everything_else_is_mounted() -> None:
    assert targets.plan([BIND]) == Target(mounts=(BIND,))
    read_only = Mount("overlay", "overlay", ("lowerdir=/b:/a",))
    assert targets.plan([read_only]) == Target(mounts=(read_only,))
    plain = Mount("overlay", "overlay", OVERLAY.options[:3])
    assert targets.plan([OVERLAY], whiteouts=False) == Target(mounts=(plain,))
    assert targets.plan([BIND, OVERLAY]) == Target(mounts=(BIND, plain))


def test_nothing_to_write_to() -> None:
    with pytest.raises(errors.InvalidArgument):
        targets.plan([])
