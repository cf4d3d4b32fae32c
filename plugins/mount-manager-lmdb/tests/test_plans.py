import pytest

from moorage_mount_manager_lmdb import plans
from moorage_mount_manager_lmdb.plans import Plan, Step
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

BIND = Mount("bind", "/a", ("rbind",))
LOOP = Mount("loop", "/disk")
EXT4 = Mount("format/ext4", "{{ mount 0 }}")
OVERLAY = Mount("format/mkdir/overlay", "overlay", ("lowerdir={{ mount 0 }}",))
HANDLED = ("loop",)


def step(mount: Mount) -> Step:
    return plans.split(mount)


def test_what_the_kernel_can_do_is_left_alone() -> None:
    assert plans.make([BIND, Mount("overlay", "overlay")], HANDLED) is None
    assert plans.make([], HANDLED) is None


def test_a_handled_mount_is_performed_and_the_rest_is_not() -> None:
    assert plans.make([LOOP, BIND], HANDLED) == Plan((step(LOOP),), step(BIND))
    assert plans.make([BIND, LOOP], HANDLED) == Plan((step(BIND), step(LOOP)))


def test_a_transformed_mount_needs_those_before_it() -> None:
    assert plans.make([BIND, BIND, OVERLAY], ()) == Plan((step(BIND), step(BIND)), step(OVERLAY))


def test_a_transformation_alone_performs_nothing() -> None:
    assert plans.make([OVERLAY, BIND], ()) == Plan((), step(OVERLAY), (BIND,))


def test_what_is_performed_for_a_while_is_performed_whole() -> None:
    assert plans.make([BIND, OVERLAY], (), temporary=True) == Plan((step(BIND), step(OVERLAY)))


def test_the_caller_may_do_something_by_itself() -> None:
    assert plans.make([LOOP, BIND], HANDLED, allowed=["loop"]) is None
    assert plans.make([BIND, EXT4], HANDLED, allowed=["format/*"]) is None
    assert plans.make([BIND, EXT4], HANDLED, allowed=["format/ext4"]) is None
    assert plans.make([LOOP, LOOP, EXT4], HANDLED, allowed=["loop"]) == Plan((step(LOOP), step(LOOP)), step(EXT4))
    assert plans.make([BIND, OVERLAY], (), allowed=["format/*"]) == Plan((step(BIND),), step(OVERLAY)), "mkdir is not"


def test_what_is_allowed_is_done_where_something_behind_it_is_not() -> None:
    made = plans.make([BIND, EXT4, LOOP], HANDLED, allowed=["format/*"])
    assert made == Plan((step(BIND), step(EXT4), step(LOOP)))


def test_what_is_left_stays_as_it_is_but_for_the_first() -> None:
    assert plans.make([LOOP, EXT4, EXT4], HANDLED, allowed=["format/*"]) == Plan((step(LOOP),), step(EXT4), (EXT4,))


def test_transformations_are_in_front_of_the_type() -> None:
    assert step(OVERLAY) == Step(
        Mount("overlay", "overlay", OVERLAY.options), ("format", "mkdir"), "format/mkdir/overlay"
    )
    assert step(BIND) == Step(BIND, (), "bind")


def test_an_unknown_transformation_belongs_to_the_type(caplog: pytest.LogCaptureFixture) -> None:
    mount = Mount("format/zip/overlay", "overlay")
    assert step(mount) == Step(Mount("zip/overlay", "overlay"), ("format",), mount.type)
    assert "zip" in caplog.text
    assert plans.make([Mount("zip/overlay", "x")], ()) is None


def test_there_is_a_limit() -> None:
    assert plans.make([BIND] * 255, (), temporary=True)
    with pytest.raises(errors.InvalidArgument, match=r"too many mounts \(256\)"):
        plans.make([BIND] * 256, (), temporary=True)
