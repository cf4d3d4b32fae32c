"""Entries as they come: devices, attributes, owners, times, names, and kinds that nobody knows."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

import pytest

from moorage_sdk import errors
from moorage_testkit.archives import Tar
from moorage_testkit.cases import Case, absent, all_of, etc, holds, that

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root"),
    pytest.mark.usefixtures("code", "host"),
]
Apply = Callable[[Case], None]


CASES = {
    "devices, FIFOs and set-id bits": Case(
        Tar().header("null", b"3", mode=0o666, device=(1, 3)).header("disk", b"4", mode=0o660, gid=6, device=(8, 0))
        .header("fifo", b"6", mode=0o600).file("tool", b"#!", 0o6755, uid=5, gid=6).folder("sticky", 0o1777),
        all_of(
            that(lambda root: (root / "null").stat().st_rdev == os.makedev(1, 3)),
            that(lambda root: stat.S_ISBLK((root / "disk").stat().st_mode)),
            that(lambda root: (root / "tool").stat().st_mode & 0o7777 == 0o6755),
            that(lambda root: (root / "sticky").stat().st_mode & 0o7777 == 0o1777),
        ),
    ),
    "capability survives the owner": Case(
        Tar().pax({"SCHILY.xattr.security.capability": bytes.fromhex("0100000200040000000000000000000000000000")})
        .file("ping", b"#!", 0o755, uid=5),
        that(lambda root: os.getxattr(root / "ping", "security.capability").startswith(b"\x01\x00\x00\x02")),
    ),
    "overlay's own attributes are not an image's": Case(
        Tar().pax({"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y",
                   "SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.kept": "1"}).folder("etc"),
        all_of(holds("etc/passwd", b"inside"), that(lambda root: os.listxattr(root / "etc") == ["user.kept"])), etc,
    ),
    "attribute that only files can have, on a link": Case(
        Tar().pax({"SCHILY.xattr.user.a": "1"}).symlink("l", "x"), that(lambda root: (root / "l").is_symlink())
    ),
    "owner out of range": Case(Tar().pax({"uid": "4294967296"}).file("f"), error=errors.InvalidArgument),
    "owner minus one": Case(Tar().pax({"gid": "-1"}).file("f"), error=errors.InvalidArgument),
    "owner 2^32 - 1": Case(Tar().pax({"uid": "4294967295"}).file("f"), error=errors.InvalidArgument),
    "large owner": Case(
        Tar().pax({"uid": "2147483648"}).file("f"), that(lambda root: (root / "f").stat().st_uid == 2**31)
    ),
    "times that no file can have": Case(
        Tar().pax({"mtime": "292277026596"}).file("a").pax({"mtime": "-5.5"}).file("b")
        .pax({"mtime": "7.25"}).file("c"),
        that(lambda root: [(root / name).stat().st_mtime_ns for name in "abc"] == [0, 0, 7_250_000_000]),
    ),
    "names of all bytes": Case(
        Tar().file(b"\xff\xfe").file("new\nline").file("ümlaut").file("a\\b").file(" "),
        that(lambda root: len(list(root.iterdir())) == 5),
    ),
    "component of 255 bytes": Case(Tar().pax({"path": "n" * 255}).file("x"), holds("n" * 255, b"")),
    "component of 256 bytes": Case(Tar().pax({"path": "n" * 256}).file("x"), error=errors.InvalidArgument),
    "unknown type": Case(Tar().header("v", b"V"), error=errors.InvalidArgument),
    "multi-volume": Case(Tar().header("v", b"M"), error=errors.InvalidArgument),
    "global header is no entry": Case(
        Tar().pax({"path": "elsewhere", "uid": "7"}, b"g").file("f"),
        all_of(absent("elsewhere"), that(lambda root: (root / "f").stat().st_uid == 0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_plain_directory(name: str, plain: Apply) -> None:
    plain(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_overlay_shows_the_same(name: str, overlaid: Apply) -> None:
    overlaid(CASES[name])
