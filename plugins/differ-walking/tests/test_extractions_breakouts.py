"""Ways out of the directory that archives have tried: each ends inside, or is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage_differ_walking.differs import WalkingDiffer
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER
from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit.archives import Tar
from moorage_testkit.cases import Case, absent, all_of, etc, etc_and, holds, same_file, that

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code", "host"),
]
Apply = Callable[[Case], None]


def base_link(root: Path) -> None:
    (root / "localetc").symlink_to("/etc")


def linked_passwd(root: Path) -> None:
    (root / "localetc").symlink_to("etc")
    (root / "etc/localpasswd").hardlink_to(root / "etc/passwd")


def whitedout(root: Path) -> None:
    base_link(root)
    (root / "etc/whitedout").touch()


def passwd_here() -> Tar:
    return Tar().folder("etc", 0o770).file("/etc/passwd", b"inside")


EXPECTED = b"in-root content"
CASES = {
    "SymlinkAbsolute": Case(
        Tar().folder("etc").symlink("localetc", "/etc").file("/localetc/unbroken", EXPECTED),
        holds("etc/unbroken", EXPECTED),
    ),
    "SymlinkUpAndOut": Case(
        Tar().folder("etc").folder("dummy").symlink("localetc", "/dummy/../etc").file("/localetc/unbroken", EXPECTED),
        holds("etc/unbroken", EXPECTED),
    ),
    "SymlinkMultipleAbsolute": Case(
        Tar().folder("etc").folder("dummy").symlink("/dummy/etc", "/etc").symlink("localetc", "/dummy/etc")
        .file("/dummy/etc/unbroken", EXPECTED),
        holds("etc/unbroken", EXPECTED),
    ),
    "SymlinkMultipleRelative": Case(
        Tar().folder("etc").folder("dummy").symlink("/dummy/etc", "/etc").symlink("localetc", "./dummy/etc")
        .file("/dummy/etc/unbroken", EXPECTED),
        holds("etc/unbroken", EXPECTED),
    ),
    "SymlinkEmptyFile": Case(
        Tar().folder("etc").file("etc/emptied", b"notempty").symlink("localetc", "/etc").file("/localetc/emptied"),
        holds("etc/emptied", b""),
    ),
    "HardlinkRelative": Case(
        passwd_here().folder("breakouts").symlink("breakouts/d1", "../../etc")
        .link("breakouts/mypasswd", "/breakouts/d1/passwd"),
        same_file("/breakouts/mypasswd", "/etc/passwd"),
    ),
    "HardlinkDownAndOut": Case(
        passwd_here().folder("breakouts").folder("downandout").symlink("breakouts/d1", "../downandout/../../etc")
        .link("breakouts/mypasswd", "/breakouts/d1/passwd"),
        same_file("/breakouts/mypasswd", "/etc/passwd"),
    ),
    "HardlinkAbsolute": Case(
        passwd_here().symlink("localetc", "/etc").link("localpasswd", "/localetc/passwd"),
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkRelativeLong": Case(
        passwd_here().symlink("localetc", "../../../../../../../etc").link("localpasswd", "/localetc/passwd"),
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkRelativeUpAndOut": Case(
        passwd_here().symlink("localetc", "upandout/../../../etc").link("localpasswd", "/localetc/passwd"),
        same_file("localpasswd", "/etc/passwd"),
    ),
    "HardlinkDirectRelative": Case(
        passwd_here().link("localpasswd", "../../../../../etc/passwd"), same_file("localpasswd", "/etc/passwd")
    ),
    "HardlinkDirectAbsolute": Case(
        passwd_here().link("localpasswd", "/etc/passwd"), same_file("localpasswd", "/etc/passwd")
    ),
    "SymlinkParentDirectory": Case(
        passwd_here().symlink("..", "/etc/").link("localpasswd", "/etc/passwd"),
        same_file("/localpasswd", "/etc/passwd"),
    ),
    "SymlinkEmptyFilename": Case(
        passwd_here().symlink("", "/etc/").link("localpasswd", "/etc/passwd"), same_file("/localpasswd", "/etc/passwd")
    ),
    "SymlinkParentRelative": Case(
        passwd_here().symlink("localetc/sub/..", "/etc/").link("/localetc/localpasswd", "/etc/passwd"),
        same_file("etc/localpasswd", "/etc/passwd"),
    ),
    "SymlinkSlashEnded": Case(
        passwd_here().folder("localetc/", 0o770).link("/localetc/localpasswd", "/etc/passwd"),
        same_file("/localetc/localpasswd", "/etc/passwd"),
    ),
    "SymlinkOverrideDirectory": Case(
        Tar().symlink("localetc", "/etc").link("/localetc/localpasswd", "/etc/passwd"),
        same_file("etc/localpasswd", "/etc/passwd"),
        etc_and(lambda root: (root / "localetc").mkdir()),
    ),
    "SymlinkOverrideDirectoryRelative": Case(
        Tar().symlink("localetc", "../../etc").link("/localetc/localpasswd", "/etc/passwd"),
        same_file("etc/localpasswd", "/etc/passwd"),
        etc_and(lambda root: (root / "localetc").mkdir()),
    ),
    "DirectoryOverrideSymlink": Case(
        Tar().folder("/localetc/").link("/localetc/localpasswd", "/etc/passwd"),
        same_file("/localetc/localpasswd", "/etc/passwd"),
        etc_and(base_link),
    ),
    "DirectoryOverrideSymlinkAndHardlink": Case(
        Tar().folder("/localetc/").file("/localetc/localpasswd", b"different"),
        all_of(holds("localetc/localpasswd", b"different"), holds("etc/passwd", b"inside")),
        etc_and(linked_passwd),
    ),
    "WhiteoutRootParent": Case(Tar().file(".wh..."), before=etc, error=errors.InvalidArgument, untouched=True),
    "WhiteoutParent": Case(Tar().file("etc/.wh..."), before=etc, error=errors.InvalidArgument, untouched=True),
    "WhiteoutRoot": Case(Tar().file(".wh.."), before=etc, error=errors.InvalidArgument, untouched=True),
    "WhiteoutCurrentDirectory": Case(Tar().file("etc/.wh.."), before=etc, error=errors.InvalidArgument, untouched=True),
    "WhiteoutEmpty": Case(Tar().file(".wh."), before=etc, error=errors.InvalidArgument, untouched=True),
    "WhiteoutSymlink": Case(
        Tar().file(".wh.localetc"), all_of(holds("etc/passwd", b"inside"), absent("localetc")), etc_and(base_link)
    ),
    "WhiteoutSymlinkPath": Case(
        Tar().file("localetc/.wh.whitedout"),
        all_of(holds("etc/passwd", b"inside"), absent("etc/whitedout")),
        etc_and(whitedout),
    ),
    "WhiteoutDirectoryName": Case(
        Tar().file(".wh.etc/somefile", b"non-empty"),
        all_of(holds("etc/passwd", b"inside"), holds(".wh.etc/somefile", b"non-empty")),
        etc,
    ),
    "WhiteoutDeadSymlinkParent": Case(
        Tar().file("localetc/.wh.etc"),
        holds("etc/passwd", b"inside"),
        etc_and(lambda root: (root / "localetc").symlink_to("/dne")),
    ),
    "WhiteoutRelativePath": Case(Tar().file("dne/../.wh.etc"), absent("etc"), etc),
    "SymlinkOverridePath": Case(
        Tar().folder("foo").folder("foo/tmp").file("foo/tmp/breakout", bytes([0, 1, 2])).symlink("foo", "/")
        .file("foo/tmp/breakout", bytes([3, 4, 5])).folder("foo").folder("foo/tmp")
        .file("foo/tmp/breakout", bytes([6, 7, 8])),
        all_of(holds("foo/tmp/breakout", bytes([6, 7, 8])), holds("tmp/breakout", bytes([3, 4, 5]))),
    ),
    "HardlinkSymlinkBeforeCreateTarget": Case(
        Tar().folder("etc", 0o770).symlink("localpasswd", "/etc/passwd").link("localpasswd-dup", "localpasswd")
        .file("/etc/passwd", b"after"),
        holds("localpasswd-dup", b"after"),
    ),
    "HardlinkSymlinkRelative": Case(
        passwd_here().symlink("passwdlink", "../../../../../etc/passwd").link("localpasswd", "/passwdlink"),
        all_of(that(lambda root: (root / "localpasswd").is_symlink()), holds("localpasswd", b"inside")),
    ),
    "HardlinkSymlinkAbsolute": Case(
        passwd_here().symlink("passwdlink", "/etc/passwd").link("localpasswd", "/passwdlink"),
        that(lambda root: os.path.samestat((root / "localpasswd").lstat(), (root / "passwdlink").lstat())),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plain_directory(name: str, plain: Apply) -> None:
    plain(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_overlay_shows_the_same(name: str, overlaid: Apply) -> None:
    overlaid(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_from_end_to_end_in_a_confined_process(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    parts = {part: tmp_path / part for part in ("lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(mode=0o755)
    case.before(parts["lower"])
    upper = (f"workdir={parts['work']}", f"upperdir={parts['upper']}")
    overlay = Mount("overlay", "overlay", (*upper, f"lowerdir={parts['lower']}"))
    with WalkingDiffer(tmp_path / "workspace").open(OCI_LAYER, [overlay]) as application:
        if case.error:
            with pytest.raises(case.error):
                application.write(case.layer.end())
                application.finish()
            return
        application.write(case.layer.end())
        application.finish()
    with mounts.temporary([overlay], folder=tmp_path) as merged:
        case.check(merged)
