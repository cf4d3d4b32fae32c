"""Roots, parents and links: where an entry goes when what is on its way is no plain directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_testkit.archives import Tar
from moorage_testkit.cases import Case, Change, all_of, etc, etc_and, holds, same_file, that

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code", "host"),
]
Apply = Callable[[Case], None]


def base_link(root: Path) -> None:
    (root / "localetc").symlink_to("/etc")


def sticky_below(root: Path) -> None:
    (root / "below/inner").mkdir(parents=True)
    (root / "below").chmod(0o1770)
    os.chown(root / "below", 5, 6)


def lib_link(name: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / "usr/lib").mkdir(parents=True)
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(target)

    return change


CASES = {
    "root replaced by a link (CVE-2021-29136)": Case(
        Tar().symlink(".", "/etc").symlink("/", "/etc").symlink("./", "/etc").file("f"), holds("f", b"")
    ),
    "root is not the layer's": Case(Tar().folder("./", 0o700).file("./f", b"x"), holds("f", b"x")),
    "parents that no entry made": Case(
        Tar().folder("/other/noparent-1/1").file("a/b/c/d", b"x"),
        all_of(holds("a/b/c/d", b"x"), that(lambda root: (root / "a/b").stat().st_mode & 0o7777 == 0o755)),
    ),
    "parents below lend their looks": Case(
        Tar().file("below/inner/new", b"x"),
        that(lambda root:
            ((root / "below").stat().st_mode & 0o7777, (root / "below").stat().st_uid) == (0o1770, 5)
        ),
        sticky_below,
    ),
    "link below is followed": Case(
        Tar().file("lib/new", b"x"),
        all_of(holds("usr/lib/new", b"x"), that(lambda root: (root / "lib").is_symlink())),
        lib_link("lib", "usr/lib"),
    ),
    "link below with dots is followed inside": Case(
        Tar().file("a/lib/new", b"x"),
        holds("usr/lib/new", b"x"),
        lib_link("a/lib", "../../../usr/./lib"),
    ),
    "hard link to a file below": Case(
        Tar().link("new", "etc/passwd"), holds("new", b"inside"), etc, differs=("etc/passwd", "new")
    ),
    "hard link to a link below": Case(
        Tar().link("new", "localetc"), that(lambda root: (root / "new").is_symlink()), etc_and(base_link),
        differs=("localetc", "new"),
    ),
    "hard link to nothing": Case(Tar().link("new", "absent"), error=errors.InvalidArgument),
    "hard link to a directory": Case(Tar().folder("d").link("new", "d"), error=errors.InvalidArgument),
    "hard link of a directory to itself": Case(Tar().folder("d").link("d", "d"), error=errors.InvalidArgument),
    "hard link to the directory above": Case(Tar().folder("d").link("new", "d/.."), error=errors.InvalidArgument),
    "hard link to a whiteout": Case(
        Tar().file(".wh.etc").link("new", "etc"), before=etc, error=errors.InvalidArgument
    ),
    "hard link to itself": Case(Tar().file("f", b"x").link("f", "f"), holds("f", b"x")),
    "hard link over an existing file": Case(
        Tar().file("f", b"x").link("etc/passwd", "f"), same_file("etc/passwd", "f"), etc
    ),
    "hard link before its target": Case(Tar().link("l", "f").file("f"), error=errors.InvalidArgument),
    "target of a link longer than a page": Case(
        Tar().pax({"linkpath": "n" * 5000}).symlink("x", "y"), error=errors.InvalidArgument
    ),
    "file as a parent": Case(Tar().file("f").file("f/g"), error=errors.InvalidArgument),
    "links in a circle": Case(
        Tar().symlink("a", "b").symlink("b", "a").file("a/f"), error=errors.InvalidArgument
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plain_directory(name: str, plain: Apply) -> None:
    plain(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_overlay_shows_the_same(name: str, overlaid: Apply) -> None:
    overlaid(CASES[name])
