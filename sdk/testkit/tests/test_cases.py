"""Checks of layers: that they hold for what is right, and fail for what is not."""

from pathlib import Path

import pytest

from moorage_testkit import cases
from moorage_testkit.archives import Tar
from moorage_testkit.cases import Case, Check, absent, all_of, holds, same_file, that


@pytest.fixture
def root(tmp_path: Path) -> Path:
    cases.etc_and(lambda root: (root / "link").symlink_to("/etc"))(tmp_path)
    (tmp_path / "etc" / "hard").hardlink_to(tmp_path / "etc" / "passwd")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (holds("etc/passwd", b"inside"), holds("etc/passwd", b"outside")),
        (holds("link/passwd", b"inside"), holds("link/passwd", b"")),
        (absent("other"), absent("etc")),
        (absent("etc/other"), absent("dangling")),
        (same_file("etc/hard", "/link/passwd"), same_file("link", "etc")),
        (that(Path.is_dir), that(Path.is_file)),
        (all_of(absent("a"), absent("b")), all_of(absent("a"), absent("etc"))),
    ],
)
def test_checks(root: Path, right: Check, wrong: Check) -> None:
    right(root)
    with pytest.raises(AssertionError):
        wrong(root)


def test_links_lead_where_the_container_would_go(root: Path) -> None:
    (root / "up").symlink_to("../../etc")
    (root / "etc" / "again").symlink_to("../link")
    for path in ("up/passwd", "/link/passwd", "etc/again/hard"):
        found = cases.resolve(root, path)
        assert found.is_relative_to(root) and found.read_text() == "inside", path


def test_a_case_expects_nothing_by_itself(root: Path) -> None:
    case = Case(Tar())
    case.before(root)
    case.check(root)
    assert (case.error, case.differs, case.untouched) == (None, (), False)
