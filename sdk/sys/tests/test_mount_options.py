import pytest

from moorage_sdk import errors
from moorage_sys import mount_options as options


@pytest.mark.parametrize(
    ("given", "flags", "data"),
    [
        ((), 0, ()),
        (("rbind", "ro"), options.MS_BIND | options.MS_REC | options.MS_RDONLY, ()),
        (("ro", "rw"), 0, ()),
        (("nodev", "nosuid", "noexec"), 14, ()),
        (("defaults", "size=5m", "mode=0755"), 0, ("size=5m", "mode=0755")),
        (("rslave",), options.MS_SLAVE | options.MS_REC, ()),
        (("index=off", "lowerdir=/b:/a"), 0, ("index=off", "lowerdir=/b:/a")),
    ],
)
def test_flags_and_data(given: tuple[str, ...], flags: int, data: tuple[str, ...]) -> None:
    parsed = options.parse(given)
    assert (parsed.flags, parsed.data) == (flags, data)


def test_loop_takes_direct_io_and_only_loop_does() -> None:
    parsed = options.parse(["loop", "direct-io", "discard"])
    assert (parsed.loop, parsed.direct_io, parsed.data) == (True, True, ("discard",))
    assert options.parse(["direct-io"]).data == ("direct-io",)


def test_id_maps_are_no_data() -> None:
    parsed = options.parse(["uidmap=0:1000:10", "gidmap=0:2000:10", "x"])
    assert (parsed.uid_map, parsed.gid_map, parsed.data) == ("0:1000:10", "0:2000:10", ("x",))


def test_manager_options_must_have_been_consumed() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"X-containerd\.mkfs"):
        options.parse(["X-containerd.mkfs.size=1"])


def test_value_is_that_of_the_last_one() -> None:
    assert options.value(["lowerdir=/a", "lowerdir=/b", "upperdir=/c"], "lowerdir") == "/b"
    assert options.value(["lowerdirs=/a"], "lowerdir") == ""
