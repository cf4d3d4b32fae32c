import os
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts

LINE = rb"36 35 98:0 /mnt1 /mnt/with\040space\011tab rw,noatime master:1 - ext3 /dev/root rw,errors=continue" + b"\n"


def test_fields_and_escapes() -> None:
    entry = mountinfo.parse(LINE)
    assert (entry.id, entry.parent, entry.device, entry.root) == (36, 35, "98:0", "/mnt1")
    assert entry.mount_point == "/mnt/with space\ttab"
    assert (entry.options, entry.optional) == (("rw", "noatime"), ("master:1",))
    assert (entry.type, entry.source, entry.super_options) == ("ext3", "/dev/root", ("rw", "errors=continue"))


@pytest.mark.parametrize("line", [b"", b"1 2 3 4\n", b"36 35 98:0 / /mnt rw master:1 ext3 /dev/root rw\n"])
def test_malformed_lines_are_errors(line: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        mountinfo.parse(line)


def test_own_namespace_has_a_root_and_proc() -> None:
    points = [entry.mount_point for entry in mountinfo.read()]
    assert "/" in points
    assert mountinfo.holding("/proc/self").type == "proc"


def test_beneath_compares_whole_components() -> None:
    entries = [mountinfo.parse(LINE.replace(rb"/mnt/with\040space\011tab", name)) for name in (b"/a", b"/a/b", b"/ab")]
    assert [entry.mount_point for entry in mountinfo.beneath("/a", entries)] == ["/a", "/a/b"]
    assert len(mountinfo.beneath("/", entries)) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts: needs root")
@pytest.mark.parametrize("name", ["plain", "a space", "back\\slash", "tab\tand\nline", "carriage\rreturn", "#"])
def test_beneath_finds_in_the_table_what_reading_all_of_it_finds(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    inner = place / "inner"
    place.mkdir()
    try:
        mounts.mount_all([Mount("tmpfs", "tmpfs")], place)
        inner.mkdir()
        mounts.mount_all([Mount("tmpfs", "tmpfs")], inner)
        found = mountinfo.beneath(str(place))
        assert [entry.mount_point for entry in found] == [str(place), str(inner)]
        assert found == mountinfo.beneath(str(place), mountinfo.read())
        assert mountinfo.beneath(str(tmp_path / "other")) == []
    finally:
        mounts.unmount_recursive(place)
