import pytest

from moorage_sys import mountinfo

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
