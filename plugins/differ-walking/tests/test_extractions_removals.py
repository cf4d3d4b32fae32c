"""What a layer takes away: by another kind of entry, by whiteouts, by opaque directories."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_testkit.archives import Tar
from moorage_testkit.cases import Case, absent, all_of, etc, etc_and, holds, that

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code", "host"),
]
Apply = Callable[[Case], None]


def old_dirs(root: Path) -> None:
    for name in ("opt", "usr"):
        (root / name).mkdir()
        (root / name / "old").touch()


def old_file(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d/old").touch()


CASES = {
    "file in place of a directory": Case(Tar().file("etc", b"now a file"), holds("etc", b"now a file"), etc),
    "directory in place of a file": Case(
        Tar().folder("etc/passwd"), that(lambda root: (root / "etc/passwd").is_dir()), etc
    ),
    "kinds changing a hundred times": Case(
        Tar().raw(Tar().folder("x").file("x/y", b"1").symlink("x", "/").file("x", b"2").data * 100),
        holds("x", b"2"),
    ),
    "directory again after a file hides what was below": Case(
        Tar().file("etc", b"file").folder("etc").file("etc/new"),
        all_of(absent("etc/passwd"), holds("etc/new", b"")), etc,
    ),
    "directory again after a whiteout hides what was below": Case(
        Tar().file(".wh.etc").folder("etc").file("etc/new"), all_of(absent("etc/passwd"), holds("etc/new", b"")), etc
    ),
    "file in a directory that was removed": Case(
        Tar().file(".wh.etc").file("etc/new", b"x"), all_of(absent("etc/passwd"), holds("etc/new", b"x")), etc
    ),
    "same entry twice": Case(Tar().file("f", b"1").file("f", b"22"), holds("f", b"22")),
    "whiteout": Case(Tar().file("etc/.wh.passwd"), absent("etc/passwd"), etc),
    "whiteout of a directory": Case(Tar().file(".wh.etc"), absent("etc"), etc),
    "whiteout of nothing": Case(Tar().file(".wh.nothing").file("a/.wh.nothing"), absent("nothing")),
    "whiteout of what this layer brought": Case(
        Tar().folder("d").file("d/f").file(".wh.d"), absent("d")
    ),
    "whiteout twice": Case(Tar().file(".wh.etc").file(".wh.etc"), absent("etc"), etc),
    "opaque first": Case(
        Tar().folder("etc").file("etc/.wh..wh..opq").file("etc/new"),
        all_of(absent("etc/passwd"), holds("etc/new", b"")), etc,
    ),
    "opaque last": Case(
        Tar().folder("etc").file("etc/sub/deep/new", b"x").file("etc/.wh..wh..opq"),
        all_of(absent("etc/passwd"), holds("etc/sub/deep/new", b"x")), etc,
    ),
    "opaque spares implicit parents and not their old neighbours": Case(
        Tar().file("d/e/new").file("d/.wh..wh..opq"),
        all_of(absent("d/old"), holds("d/e/new", b"")),
        old_file,
    ),
    "opaque root": Case(
        Tar().folder("opt").file("new").file(".wh..wh..opq").folder("usr"),
        all_of(absent("etc"), absent("opt/old"), absent("usr/old"), holds("new", b"")), etc_and(old_dirs),
    ),
    "device 0:0 is a whiteout": Case(Tar().header("etc", b"3", device=(0, 0)), absent("etc"), etc),
    "plain whiteout prefix of a whiteout": Case(Tar().file(".wh..wh.plnk").file("f"), holds("f", b"")),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plain_directory(name: str, plain: Apply) -> None:
    plain(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_overlay_shows_the_same(name: str, overlaid: Apply) -> None:
    overlaid(CASES[name])
