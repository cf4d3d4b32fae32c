import errno

import pytest

from moorage_sdk import errors
from moorage_sys import libc


def test_failure_names_both_paths() -> None:
    with pytest.raises(OSError) as caught:
        libc.check(libc.lib.umount2(libc.text("/nowhere/at/all"), 0), "/nowhere/at/all", "other")
    assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (
        errno.ENOENT,
        "/nowhere/at/all",
        "other",
    )


def test_syscall_reports_errno() -> None:
    with pytest.raises(OSError) as caught:
        libc.syscall(libc.CLOSE_RANGE, 1, 0, 0)
    assert caught.value.errno == errno.EINVAL


def test_embedded_nul_is_refused_instead_of_cut_off() -> None:
    with pytest.raises(errors.InvalidArgument, match="null byte: invalid argument"):
        libc.text(b"/etc\0/passwd")


def test_content_copies_the_buffer() -> None:
    assert libc.content(libc.buffer(b"abc"), 4) == b"abc\0"
