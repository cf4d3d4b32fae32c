"""The cases of containerd's ``spec_opts_user_test.go``, ``spec_opts_user_bounds_test.go``, ``TestAdditionalGids``."""

import os
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_specs import users
from moorage_specs.users import User

PASSWD = """root:x:0:0:root:/root:/bin/sh
guest:x:405:100:guest:/dev/null:/sbin/nologin
4294967296:x:0:0:evil:/:/bin/sh

short:x
broken:x:abc:0::/:
"""
GROUP = """root:x:0:root
empty:x:65534:
shadow:x:42:,
wheel:x:10:root,guest
users:x:100:games
guest:x:405:guest
odd:x:99999999999:guest
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    return tmp_path


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", User(0, 0, (0, 10))),
        ("root", User(0, 0, (0, 10))),
        ("guest", User(405, 100, (100, 10))),
        ("405", User(405, 100, (100, 10))),
        ("1234", User(1234, 0, (0,))),
        ("1234:1234", User(1234, 1234, (1234,))),
        ("guest:wheel", User(405, 10, (10,))),
        ("guest:7", User(405, 7, (7,))),
        ("7:wheel", User(7, 10, (10,))),
        ("2147483647", User(2147483647, 0, (0,))),
    ],
)
def test_who(root: Path, user: str, expected: User) -> None:
    assert users.resolve(user, root) == expected


@pytest.mark.parametrize(
    "user",
    [
        "2147483648",
        "4294967296",
        "-1000",
        "-1",
        "+2147483648",
        "9" * 36,
        "405:2147483648",
        "405:-1",
        "guest:4294967296",
        "a:b:c",
        "guest:",
        ":wheel",
    ],
)
def test_sec_44_numbers_out_of_range_are_never_names(root: Path, user: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        users.resolve(user, root)


@pytest.mark.parametrize("user", ["nobody", "short", "broken", "guest:nogroup"])
def test_names_that_are_not_there(root: Path, user: str) -> None:
    with pytest.raises(errors.NotFound):
        users.resolve(user, root)


def test_an_image_without_a_database(tmp_path: Path) -> None:
    assert users.resolve("", tmp_path) == User(0, 0, (0,))
    assert users.resolve("5", tmp_path) == User(5, 0, (0,))


def test_ids_alone_need_no_root() -> None:
    assert not users.needs_files("5:6")
    assert all(users.needs_files(user) for user in ("", "5", "a:6", "5:b"))
    assert users.resolve("5:6", None) == User(5, 6, (6,))
    with pytest.raises(errors.InvalidArgument):
        users.resolve("5", None)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_sec_36_the_limit_is_an_error_and_not_a_cut(root: Path, extra: int) -> None:
    tail = b"last:x:9:9::/:/bin/sh\n"
    filler = b"#" * (users.FILE_LIMIT + extra - len(tail) - 1) + b"\n"
    (root / "etc/passwd").write_bytes(filler + tail)
    if extra > 0:
        with pytest.raises(errors.ResourceExhausted):
            users.resolve("last", root)
    else:
        assert users.resolve("last", root).uid == 9


def test_sec_36_a_fifo_does_not_hang(root: Path) -> None:
    (root / "etc/passwd").unlink()
    os.mkfifo(root / "etc/passwd")
    with pytest.raises(errors.InvalidArgument):
        users.resolve("guest", root)


def test_sec_36_links_stay_inside(root: Path, tmp_path: Path) -> None:
    (root / "real").write_text("inner:x:77:77::/:\n")
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("/real")
    assert users.resolve("inner", root).uid == 77
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").symlink_to("../../../../../../etc/passwd")
    with pytest.raises(errors.InvalidArgument):  # a loop: inside the root it points to itself
        users.resolve("root", root)


def test_a_number_of_thousands_of_digits_is_skipped(root: Path) -> None:
    """Python refuses to convert it, with an error that is none of ours."""
    (root / "etc/passwd").write_text(f"long:x:{'1' * 5000}:0::/:\nlast:x:9:9::/:\n")
    assert users.resolve("last", root).uid == 9


def test_lines_end_at_line_feeds_alone(root: Path) -> None:
    """As Go reads them; Python would also end a line at a separator in somebody's full name."""
    (root / "etc/passwd").write_text("guest:x:405:100:A\u2028evil:x:0:0::/:\x0c\n", "utf-8")
    with pytest.raises(errors.NotFound):
        users.resolve("evil", root)


def test_a_folder_in_the_place_of_the_database(root: Path) -> None:
    (root / "etc/passwd").unlink()
    (root / "etc/passwd").mkdir()
    with pytest.raises(errors.InvalidArgument, match="not a regular file"):
        users.resolve("guest", root)
