"""Each layer goes into a plain directory and into the upper directory of an overlay; both must show the same."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from moorage_differ_walking import unpacking
from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.limits import Limits
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER
from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit import trees
from moorage_testkit.archives import Tar

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code"),
]
Change = Callable[[Path], None]
Check = Callable[[Path], None]


def nothing(root: Path) -> None:
    return


def etc(root: Path) -> None:
    (root / "etc").mkdir(mode=0o755)
    (root / "etc/passwd").write_text("inside")


def etc_and(change: Change) -> Change:
    def both(root: Path) -> None:
        etc(root)
        change(root)

    return both


def same_file(one: str, other: str) -> Check:
    def check(root: Path) -> None:
        inside = (root / one.lstrip("/")).lstat()
        # Links are read as the container would read them.
        assert os.path.samestat(inside, resolve(root, other).lstat())

    return check


def resolve(root: Path, path: str) -> Path:
    place = root
    for part in path.strip("/").split("/"):
        place = place / part
        for _ in range(10):
            if not place.is_symlink():
                break
            target = str(place.readlink())
            base = root if target.startswith("/") else place.parent
            place = Path(os.path.normpath("/" + str((base / target.lstrip("/")).relative_to(root)))).relative_to("/")
            place = root / place
    return place


def holds(path: str, content: bytes) -> Check:
    def check(root: Path) -> None:
        assert resolve(root, path).read_bytes() == content

    return check


def absent(path: str) -> Check:
    return lambda root: _assert(not os.path.lexists(root / path))


def all_of(*checks: Check) -> Check:
    def check(root: Path) -> None:
        for one in checks:
            one(root)

    return check


def _assert(condition: bool) -> None:
    assert condition


@dataclass(frozen=True)
class Case:
    layer: Tar
    check: Check = nothing
    before: Change = nothing
    error: type[errors.Error] | None = None
    differs: tuple[str, ...] = field(default_factory=tuple)


def base_link(root: Path) -> None:
    (root / "localetc").symlink_to("/etc")


def linked_passwd(root: Path) -> None:
    (root / "localetc").symlink_to("etc")
    (root / "etc/localpasswd").hardlink_to(root / "etc/passwd")


def whitedout(root: Path) -> None:
    base_link(root)
    (root / "etc/whitedout").touch()


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


def old_dirs(root: Path) -> None:
    for name in ("opt", "usr"):
        (root / name).mkdir()
        (root / name / "old").touch()


def old_file(root: Path) -> None:
    (root / "d").mkdir()
    (root / "d/old").touch()


def passwd_here() -> Tar:
    return Tar().folder("etc", 0o770).file("/etc/passwd", b"inside")


EXPECTED = b"in-root content"
BREAKOUTS = {
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
    "WhiteoutRootParent": Case(Tar().file(".wh..."), before=etc, error=errors.InvalidArgument),
    "WhiteoutParent": Case(Tar().file("etc/.wh..."), before=etc, error=errors.InvalidArgument),
    "WhiteoutRoot": Case(Tar().file(".wh.."), before=etc, error=errors.InvalidArgument),
    "WhiteoutCurrentDirectory": Case(Tar().file("etc/.wh.."), before=etc, error=errors.InvalidArgument),
    "WhiteoutEmpty": Case(Tar().file(".wh."), before=etc, error=errors.InvalidArgument),
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
        all_of(lambda root: _assert((root / "localpasswd").is_symlink()), holds("localpasswd", b"inside")),
    ),
    "HardlinkSymlinkAbsolute": Case(
        passwd_here().symlink("passwdlink", "/etc/passwd").link("localpasswd", "/passwdlink"),
        lambda root: _assert(os.path.samestat((root / "localpasswd").lstat(), (root / "passwdlink").lstat())),
    ),
}  # fmt: skip

CASES = {
    "root replaced by a link (CVE-2021-29136)": Case(
        Tar().symlink(".", "/etc").symlink("/", "/etc").symlink("./", "/etc").file("f"), holds("f", b"")
    ),
    "root is not the layer's": Case(Tar().folder("./", 0o700).file("./f", b"x"), holds("f", b"x")),
    "parents that no entry made": Case(
        Tar().folder("/other/noparent-1/1").file("a/b/c/d", b"x"),
        all_of(holds("a/b/c/d", b"x"), lambda root: _assert((root / "a/b").stat().st_mode & 0o7777 == 0o755)),
    ),
    "parents below lend their looks": Case(
        Tar().file("below/inner/new", b"x"),
        lambda root: _assert(
            ((root / "below").stat().st_mode & 0o7777, (root / "below").stat().st_uid) == (0o1770, 5)
        ),
        sticky_below,
    ),
    "link below is followed": Case(
        Tar().file("lib/new", b"x"),
        all_of(holds("usr/lib/new", b"x"), lambda root: _assert((root / "lib").is_symlink())),
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
        Tar().link("new", "localetc"), lambda root: _assert((root / "new").is_symlink()), etc_and(base_link),
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
    "file in place of a directory": Case(Tar().file("etc", b"now a file"), holds("etc", b"now a file"), etc),
    "directory in place of a file": Case(
        Tar().folder("etc/passwd"), lambda root: _assert((root / "etc/passwd").is_dir()), etc
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
    "devices, FIFOs and set-id bits": Case(
        Tar().header("null", b"3", mode=0o666, device=(1, 3)).header("disk", b"4", mode=0o660, gid=6, device=(8, 0))
        .header("fifo", b"6", mode=0o600).file("tool", b"#!", 0o6755, uid=5, gid=6).folder("sticky", 0o1777),
        lambda root: _assert(

                (root / "null").stat().st_rdev == os.makedev(1, 3)
                and stat.S_ISBLK((root / "disk").stat().st_mode)
                and (root / "tool").stat().st_mode & 0o7777 == 0o6755
                and (root / "sticky").stat().st_mode & 0o7777 == 0o1777

        ),
    ),
    "capability survives the owner": Case(
        Tar().pax({"SCHILY.xattr.security.capability": bytes.fromhex("0100000200040000000000000000000000000000")})
        .file("ping", b"#!", 0o755, uid=5),
        lambda root: _assert(os.getxattr(root / "ping", "security.capability").startswith(b"\x01\x00\x00\x02")),
    ),
    "overlay's own attributes are not an image's": Case(
        Tar().pax({"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y",
                   "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.kept": "1"}).folder("etc"),
        all_of(holds("etc/passwd", b"inside"), lambda root: _assert(os.listxattr(root / "etc") == ["user.kept"])), etc,
    ),
    "attribute that only files can have, on a link": Case(
        Tar().pax({"SCHILY.xattr.user.a": "1"}).symlink("l", "x"), lambda root: _assert((root / "l").is_symlink())
    ),
    "owner out of range": Case(Tar().pax({"uid": "4294967296"}).file("f"), error=errors.InvalidArgument),
    "owner minus one": Case(Tar().pax({"gid": "-1"}).file("f"), error=errors.InvalidArgument),
    "owner 2^32 - 1": Case(Tar().pax({"uid": "4294967295"}).file("f"), error=errors.InvalidArgument),
    "large owner": Case(
        Tar().pax({"uid": "2147483648"}).file("f"), lambda root: _assert((root / "f").stat().st_uid == 2**31)
    ),
    "times that no file can have": Case(
        Tar().pax({"mtime": "292277026596"}).file("a").pax({"mtime": "-5.5"}).file("b")
        .pax({"mtime": "7.25"}).file("c"),
        lambda root: _assert([(root / name).stat().st_mtime_ns for name in "abc"] == [0, 0, 7_250_000_000]),
    ),
    "names of all bytes": Case(
        Tar().file(b"\xff\xfe").file("new\nline").file("ümlaut").file("a\\b").file(" "),
        lambda root: _assert(len(list(root.iterdir())) == 5),
    ),
    "component of 255 bytes": Case(Tar().pax({"path": "n" * 255}).file("x"), holds("n" * 255, b"")),
    "component of 256 bytes": Case(Tar().pax({"path": "n" * 256}).file("x"), error=errors.InvalidArgument),
    "target of a link longer than a page": Case(
        Tar().pax({"linkpath": "n" * 5000}).symlink("x", "y"), error=errors.InvalidArgument
    ),
    "file as a parent": Case(Tar().file("f").file("f/g"), error=errors.InvalidArgument),
    "links in a circle": Case(
        Tar().symlink("a", "b").symlink("b", "a").file("a/f"), error=errors.InvalidArgument
    ),
    "unknown type": Case(Tar().header("v", b"V"), error=errors.InvalidArgument),
    "multi-volume": Case(Tar().header("v", b"M"), error=errors.InvalidArgument),
    "global header is no entry": Case(
        Tar().pax({"path": "elsewhere", "uid": "7"}, b"g").file("f"),
        all_of(absent("elsewhere"), lambda root: _assert((root / "f").stat().st_uid == 0)),
    ),
}  # fmt: skip
ALL = {**BREAKOUTS, **CASES}


def unpack(folder: Path, layer: bytes, limits: Limits | None = None, **settings: object) -> None:
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    limits = limits or Limits()
    try:
        extraction = Extraction(root, limits, **settings)  # type: ignore[arg-type]  # passed on
        unpacking.unpack(io.BytesIO(layer), "", extraction, limits)
    finally:
        os.close(root)


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """What must be untouched after every layer, however hostile."""
    places = [Path("/"), Path("/etc"), Path("/usr"), Path("/etc/passwd")]
    before = [(place.stat().st_mtime_ns, place.stat().st_mode) for place in places]
    yield
    assert [(place.stat().st_mtime_ns, place.stat().st_mode) for place in places] == before
    assert not any(Path(name).exists() for name in ("/etc/unbroken", "/tmp/breakout", "/etc/emptied", "/breakouts"))


@pytest.mark.parametrize("name", ALL)
def test_plain_directory(name: str, tmp_path: Path) -> None:
    case = ALL[name]
    root = tmp_path / "root"
    root.mkdir()
    case.before(root)
    if case.error:
        before = trees.read(tmp_path) if "hiteout" in name and name in BREAKOUTS else None
        with pytest.raises(case.error):
            unpack(root, case.layer.end())
        assert before is None or trees.read(tmp_path) == before
        return
    unpack(root, case.layer.end())
    case.check(root)
    assert [entry.name for entry in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize("name", ALL)
def test_overlay_shows_the_same(name: str, tmp_path: Path) -> None:
    case = ALL[name]
    parts = {part: tmp_path / part for part in ("plain", "lower", "upper", "work", "merged")}
    for part in parts.values():
        part.mkdir(mode=0o755)
    case.before(parts["plain"])
    case.before(parts["lower"])
    lower = os.open(parts["lower"], os.O_RDONLY | os.O_DIRECTORY)
    try:
        if case.error:
            with pytest.raises(case.error):
                unpack(parts["upper"], case.layer.end(), overlay=True, below=[lower])
            return
        unpack(parts["upper"], case.layer.end(), overlay=True, below=[lower])
    finally:
        os.close(lower)
    unpack(parts["plain"], case.layer.end())
    directories = f"lowerdir={parts['lower']}"
    upper = (f"upperdir={parts['upper']}", f"workdir={parts['work']}")
    mounts.mount(Mount("overlay", "overlay", (directories, *upper)), parts["merged"])
    try:
        case.check(parts["merged"])
        hidden = ("trusted.overlay.", "security.selinux")
        merged, plain = trees.read(parts["merged"], hidden=hidden), trees.read(parts["plain"])
        for path in case.differs:
            merged.pop(path, None), plain.pop(path, None)
        assert merged == plain
    finally:
        mounts.unmount_all(parts["merged"])


@pytest.mark.parametrize("name", BREAKOUTS)
def test_from_end_to_end_in_a_confined_process(name: str, tmp_path: Path) -> None:
    case = BREAKOUTS[name]
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


def test_mode_of_a_file_outside_is_not_changed_through_links(tmp_path: Path) -> None:
    """CVE-2021-32760."""
    (tmp_path / "root").mkdir()
    victim, other = tmp_path / "perm400", tmp_path / "also-exists-outside-root"
    victim.touch(0o400)
    other.touch(0o640)
    layer = Tar().symlink(str(other), str(victim)).link("sketchylink", str(other))
    unpack(tmp_path / "root", layer.end())
    assert (victim.stat().st_mode & 0o777, other.stat().st_mode & 0o777) == (0o400, 0o640)
    assert (tmp_path / "root/sketchylink").is_symlink()


def test_times_of_directories_are_those_of_the_layer(tmp_path: Path) -> None:
    layer = (
        Tar().folder("d", mtime=1000).file("d/f", mtime=2000).symlink("d/l", "x", mtime=3000).folder("d/e", mtime=4000)
    )
    unpack(tmp_path, layer.file("d/e/f").end())
    found = {name: (tmp_path / name).lstat().st_mtime for name in ("d", "d/f", "d/l", "d/e")}
    assert found == {"d": 1000, "d/f": 2000, "d/l": 3000, "d/e": 4000}


@pytest.mark.parametrize("umask", [0, 0o077])
def test_umask_changes_nothing(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        unpack(tmp_path, Tar().folder("d", 0o2775).file("d/f", b"", 0o666).file("implicit/f", b"", 0o640).end())
    finally:
        os.umask(old)
    modes = {name: (tmp_path / name).stat().st_mode & 0o7777 for name in ("d", "d/f", "implicit", "implicit/f")}
    assert modes == {"d": 0o2775, "d/f": 0o666, "implicit": 0o755, "implicit/f": 0o640}


@pytest.mark.parametrize(
    ("limits", "layer"),
    [
        (Limits(entries=3), Tar().file("a").file("b").file("c").file("d")),
        (Limits(depth=5), Tar().file("a/b/c/d/e/f")),
        (Limits(path=100), Tar().pax({"path": "x/" * 60 + "f"}).file("f")),
        (Limits(size=4000), Tar().file("f", bytes(5000))),
        (Limits(header=2000), Tar().pax({"comment": "x" * 3000}).file("f")),
        (Limits(xattr=10), Tar().pax({"SCHILY.xattr.user.a": "x" * 11}).file("f")),
        (Limits(xattrs=10), Tar().pax({f"SCHILY.xattr.user.{n}": "xxx" for n in range(4)}).file("f")),
    ],
)
def test_limits(tmp_path: Path, limits: Limits, layer: Tar) -> None:
    with pytest.raises(errors.ResourceExhausted, match="over the limit"):
        unpack(tmp_path, layer.end(), limits)


def test_paths_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    deep = "/".join(["component"] * 800)
    layer = Tar().pax({"path": deep + "/one"}).file("x", b"1").pax({"path": deep + "/two"}).file("x", b"2")
    unpack(tmp_path, layer.end())
    fd = os.open(tmp_path, os.O_PATH)
    for _ in range(800):
        inner = os.open("component", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = inner
    with open(os.open("two", os.O_RDONLY, dir_fd=fd)) as file:
        assert file.read() == "2"
    os.close(fd)


def test_full_disk_is_told_as_such(tmp_path: Path) -> None:
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=64k",)), tmp_path)
    try:
        with pytest.raises(errors.ResourceExhausted, match="no space left"):
            unpack(tmp_path, Tar().file("f", bytes(200_000)).end())
    finally:
        mounts.unmount_all(tmp_path)


def test_mount_in_the_way_is_not_removed_through(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host/precious").touch()
    (tmp_path / "root/d/mnt").mkdir(parents=True)
    mounts.mount(Mount("bind", str(tmp_path / "host"), ("bind",)), tmp_path / "root/d/mnt")
    try:
        with pytest.raises(errors.FailedPrecondition):
            unpack(tmp_path / "root", Tar().file(".wh.d").end())
    finally:
        mounts.unmount_all(tmp_path / "root/d/mnt")
    assert (tmp_path / "host/precious").exists()


def test_devices_can_be_left_out(tmp_path: Path) -> None:
    layer = Tar().header("null", b"3", device=(1, 3)).header("fifo", b"6")
    unpack(tmp_path, layer.end(), devices=False)
    assert [entry.name for entry in tmp_path.iterdir()] == ["fifo"]


def test_rebased_layer_keeps_its_removals(tmp_path: Path) -> None:
    """An upper directory whose lower layers are not known yet."""
    unpack(tmp_path, Tar().file("etc/.wh.passwd").file("d/.wh..wh..opq").end(), overlay=True)
    assert (tmp_path / "etc/passwd").stat().st_rdev == 0
    assert stat.S_ISCHR((tmp_path / "etc/passwd").stat().st_mode)
    assert os.getxattr(tmp_path / "d", "trusted.overlay.opaque") == b"y"


def test_more_links_to_one_file_than_the_file_system_takes(tmp_path: Path) -> None:
    layer = Tar().file("f").folder("d")
    for number in range(70_000):
        layer.link(f"d/{number}", "f")
    # ext4 ends at 65,000 names, tmpfs and xfs go on.
    try:
        unpack(tmp_path, layer.end())
    except errors.ResourceExhausted as error:
        assert "too many links" in str(error)
    assert (tmp_path / "f").stat().st_nlink >= 65_000


@pytest.mark.parametrize("depth", [4_097, 100_000])
def test_paths_deeper_than_the_limit_end_cleanly(tmp_path: Path, depth: int) -> None:
    layer = Tar().pax({"path": "x/" * depth}).folder("x").end()
    with pytest.raises(errors.ResourceExhausted):
        unpack(tmp_path, layer)
    assert list(tmp_path.iterdir()) == []


def test_compiled_code_is_used_only_where_it_knows_enough(tmp_path: Path, code: str) -> None:
    """It knows neither small limits nor which entries an opaque marker must spare."""

    def used(limits: Limits, **settings: bool) -> bool:
        root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            extraction = Extraction(root, limits, **settings)
            extraction.finish()
            return extraction.plain is not None
        finally:
            os.close(root)

    there = code == "compiled"
    assert used(Limits()) == used(Limits(), overlay=True) == there
    assert not used(Limits(), compiled=False)
    assert not used(Limits(path=255))
    assert not used(Limits(depth=127))
    (tmp_path / "old").touch()
    assert not used(Limits())
    assert used(Limits(), overlay=True) == there
