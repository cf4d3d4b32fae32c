import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_differ_walking import changes
from moorage_differ_walking.changes import Kind

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="owners and capabilities need root")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("lower", "upper"):
        (tmp_path / name).mkdir()
    return tmp_path / "lower", tmp_path / "upper"


def walk(pair: tuple[Path, Path]) -> list[tuple[str, str]]:
    opened = [os.open(path, os.O_RDONLY) for path in pair]
    try:
        return [(change.kind.value, os.fsdecode(change.path)) for change in changes.walk(*opened)]
    finally:
        for fd in opened:
            os.close(fd)


def changed(pair: tuple[Path, Path]) -> list[tuple[str, str]]:
    return [change for change in walk(pair) if change[0] != Kind.UNMODIFIED.value]


def both(pair: tuple[Path, Path], name: str, content: str = "x", mtime: float = 5.5) -> None:
    for root in pair:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
        os.utime(root / name, (mtime, mtime))


def test_order_is_that_of_paths_and_directories_come_first(pair: tuple[Path, Path]) -> None:
    both(pair, "b/same")
    (pair[1] / "a/c").mkdir(parents=True)
    (pair[1] / "a/c/f").touch()
    (pair[1] / "a.x").touch()
    (pair[0] / "gone/deep").mkdir(parents=True)
    assert walk(pair) == [
        ("add", "a"), ("add", "a/c"), ("add", "a/c/f"), ("add", "a.x"), ("unmodified", "b"), ("unmodified", "b/same"),
        ("delete", "gone"),
    ]  # fmt: skip


def test_kinds_replace_each_other(pair: tuple[Path, Path]) -> None:
    (pair[0] / "x/inner").mkdir(parents=True)
    (pair[1] / "x").touch()
    (pair[0] / "y").touch()
    (pair[1] / "y/inner").mkdir(parents=True)
    assert walk(pair) == [("modify", "x"), ("modify", "y"), ("add", "y/inner")]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.chmod(0o600),
        lambda path: path.write_text("longer"),
        lambda path: os.utime(path, (9, 9.5)),
    ],
)
def test_attributes_count(pair: tuple[Path, Path], change: Callable[[Path], None]) -> None:
    both(pair, "f")
    assert changed(pair) == []
    change(pair[1] / "f")
    assert changed(pair) == [("modify", "f")]


@root_only
def test_owner_and_capability_count(pair: tuple[Path, Path]) -> None:
    both(pair, "f")
    both(pair, "g")
    os.chown(pair[1] / "f", 5, 6)
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(pair[1] / "g", changes.CAPABILITY, capability)
    assert changed(pair) == [("modify", "f"), ("modify", "g")]


def test_times_of_whole_seconds_do_not_prove_equality(pair: tuple[Path, Path]) -> None:
    both(pair, "same", "abc", 5)
    both(pair, "other", "abc", 5)
    (pair[1] / "other").write_text("xyz")
    os.utime(pair[1] / "other", (5, 5))
    both(pair, "trusted", "abc", 5.5)
    (pair[1] / "trusted").write_text("xyz")
    os.utime(pair[1] / "trusted", (5.5, 5.5))
    assert changed(pair) == [("modify", "other")]


def test_targets_of_links_are_compared(pair: tuple[Path, Path]) -> None:
    for root, target in zip(pair, ("aa", "bb"), strict=True):
        (root / "l").symlink_to(target)
        os.utime(root / "l", (5, 5), follow_symlinks=False)
    assert changed(pair) == [("modify", "l")]


def test_times_of_directories_do_not_count(pair: tuple[Path, Path]) -> None:
    for root, time in zip(pair, (1, 2), strict=True):
        (root / "d").mkdir()
        os.utime(root / "d", (time, time))
    assert changed(pair) == []


def test_links_are_not_followed(pair: tuple[Path, Path]) -> None:
    (pair[0] / "d").mkdir()
    (pair[1] / "d").symlink_to("/etc")
    assert walk(pair) == [("modify", "d")]
