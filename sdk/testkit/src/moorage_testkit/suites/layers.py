"""Changes to a tree, and stacks of them that layered file systems once got wrong. After
``core/snapshots/testsuite/issues.go`` of containerd v2.3.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

Change = Callable[[Path], None]
"""What is done to the tree whose root it is given."""


def write(name: str, text: str, mode: int = 0o644) -> Change:
    def change(root: Path) -> None:
        (root / name).write_text(text)
        (root / name).chmod(mode)

    return change


def mkdir(name: str, mode: int = 0o755) -> Change:
    def change(root: Path) -> None:
        (root / name).mkdir()
        (root / name).chmod(mode)

    return change


def remove(name: str) -> Change:
    def change(root: Path) -> None:
        place = root / name
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    return change


def chown(name: str, owner: int, group: int) -> Change:
    return lambda root: os.chown(root / name, owner, group, follow_symlinks=False)


def chmod(name: str, mode: int) -> Change:
    return lambda root: (root / name).chmod(mode)


def link(name: str, target: str) -> Change:
    return lambda root: (root / name).hardlink_to(root / target)


def symlink(name: str, target: str) -> Change:
    return lambda root: (root / name).symlink_to(target)


def rename(name: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / name).rename(root / target)

    return change


def all_of(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


STACKS: dict[str, list[Change]] = {
    "basic": [
        all_of(write("foo", "foo\n", 0o777), mkdir("a"), mkdir("a/b"), mkdir("a/b/c")),
        all_of(write("bar", "bar\n"), remove("a/b"), write("foo", "longer than before\n", 0o600)),
        all_of(mkdir("a/b", 0o700), symlink("a/b/link", "/etc/passwd"), link("a/b/same", "bar")),
    ],
    "file update in a layer (docker 21555)": [
        all_of(mkdir("etc", 0o700), write("etc/hosts", "mydomain 10.0.0.1"), write("etc/profile", "PATH=/usr/bin")),
        all_of(
            write("etc/hosts", "mydomain 10.0.0.2"), chmod("etc/profile", 0o666), mkdir("root", 0o700),
            write("root/.bashrc", "PATH=/usr/sbin:/usr/bin"),
        ),
    ],
    "directory removed and made anew (docker 25244)": [
        all_of(mkdir("lib", 0o700), write("lib/hidden", "")),
        all_of(remove("lib"), mkdir("lib", 0o700), write("lib/not-hidden", "")),
        write("lib/newfile", ""),
    ],
    "owner changed (docker 20240, 24913, 28391)": [
        all_of(mkdir("opt", 0o700), mkdir("opt/a", 0o700), mkdir("opt/a/b", 0o700), write("opt/a/b/file.txt", "hello")),
        all_of(chown("opt", 1, 1), chown("opt/a", 1, 1), chown("opt/a/b", 1, 1), chown("opt/a/b/file.txt", 1, 1)),
    ],
    "directory permissions (docker 27298)": [
        all_of(
            *(mkdir(f"dir{number}", 0o700) for number in range(1, 6)),
            write("dir4/f1", "..."), write("dir5/f1", "..."),
            *(chown(name, 1, 1) for name in ("dir1", "dir2", "dir3", "dir5", "dir5/f1")),
        ),
        all_of(chown("dir2", 0, 0), remove("dir3"), chown("dir4", 1, 1), chown("dir4/f1", 1, 1)),
        all_of(mkdir("dir3", 0o700), chown("dir3", 1, 1), remove("dir5"), mkdir("dir5", 0o700), chown("dir5", 1, 1)),
    ],
    "deleted in a child": [
        all_of(write("a", ""), write("b", ""), mkdir("c"), mkdir("c/d"), write("c/e", "")),
        remove("a"),
        all_of(remove("b"), remove("c")),
        all_of(),
        write("a", "again"),
    ],
    "moved from a lower layer": [
        all_of(mkdir("dir1", 0o700), write("dir1/f1", "Hello"), mkdir("dir2", 0o700), write("dir2/f1", "x")),
        all_of(write("dir1/f2", "Hello"), rename("dir1/f1", "dir2/f2")),
    ],
    "linked from a lower layer, and removed there": [
        all_of(mkdir("dir1", 0o700), write("dir1/f1", "Hello"), mkdir("dir2", 0o700), write("dir2/f2", "...")),
        all_of(
            mkdir("dir3", 0o700), write("dir3/f1", "Hello"), remove("dir1"), link("dir3/f2", "dir2/f2"),
            remove("dir2/f2"),
        ),
    ],
    "files replaced by renaming (docker 25409)": [
        all_of(mkdir("somefiles", 0o700), write("somefiles/f1", "was here first!"), write("somefiles/f2", "nothing")),
        all_of(
            write("somefiles/new", "new content"), rename("somefiles/new", "somefiles/f1"),
            rename("somefiles/f2", "somefiles/f3"),
        ),
    ],
    "kinds change": [
        all_of(write("one", "file"), mkdir("two"), write("two/inner", ""), symlink("three", "one")),
        all_of(remove("one"), mkdir("one"), remove("two"), symlink("two", "one"), remove("three"), write("three", "f")),
        all_of(remove("one"), remove("two"), write("two", "again")),
    ],
    "set-id bits and times survive": [
        all_of(write("tool", "#!"), chown("tool", 5, 6), chmod("tool", 0o6755), mkdir("tmp"), chmod("tmp", 0o1777)),
        write("other", ""),
    ],
}  # fmt: skip
"""Layers by what is shown with them."""


def deep(depth: int) -> list[Change]:
    """Layers of which each writes over a file, adds one to a directory, and makes another directory anew."""
    bottom = all_of(
        write("bottom", "way at the bottom\n", 0o777), write("overwritten", "first\n", 0o777),
        mkdir("added to"), mkdir("made anew"), write("made anew/bottom", "gone soon\n", 0o777),
    )  # fmt: skip
    return [bottom, *(_deeper(number) for number in range(1, depth))]


def _deeper(number: int) -> Change:
    return all_of(
        write("overwritten", f"by {number}\n", 0o777),
        write(f"added to/file-{number}", "same\n", 0o755),
        remove("made anew"),
        mkdir("made anew"),
        write(f"made anew/file-{number}", "the only one\n", 0o777),
    )
