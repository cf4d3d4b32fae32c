import pytest

from moorage_sdk import errors
from moorage_specs import working_dirs

AMONG_DESCRIPTORS = [
    "/proc/self/fd/7",
    "/proc/1/fd",
    "//proc/./self/fd/8",
    "/proc/thread-self/fd/3/x",
    "/proc/self/task/12/fd/9",
    "/proc/self/fd/7/../../../..",
    "/proc/self/cwd/../fd/7",
    "/x/../proc/self/fd/7",
    "/dev/fd/7",
    "/dev//fd",
    "proc/self/fd/7",
]


@pytest.mark.parametrize("path", AMONG_DESCRIPTORS)
def test_sec_61_directories_that_are_descriptors(path: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="file descriptors"):
        working_dirs.check(path)
    with pytest.raises(errors.InvalidArgument, match="file descriptors"):
        working_dirs.absolute(path)


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("a/../b", "/b"),
        ("/proc/self", "/proc/self"),
        ("//x", "/x"),
        ("/srv/fd/7", "/srv/fd/7"),
        ("/proc/fd", "/proc/fd"),
        ("/dev/fdisk", "/dev/fdisk"),
        ("/home/dev/fd", "/home/dev/fd"),
        ("", "/"),
    ],
)
def test_others_are_made_absolute(path: str, absolute: str) -> None:
    assert working_dirs.absolute(path) == absolute
