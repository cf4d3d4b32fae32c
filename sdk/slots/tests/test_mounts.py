from moorage_sdk.mounts import Mount


def test_read_only_is_the_whole_option() -> None:
    assert Mount("overlay", "overlay", ("lowerdir=/ro", "ro")).read_only
    assert not Mount("overlay", "overlay", ("lowerdir=/ro", "rw")).read_only


def test_plans_can_be_compared() -> None:
    assert Mount("bind", "/a", ("rbind",)) == Mount("bind", "/a", ("rbind",))
    assert Mount("overlay", "o", ("a", "b")) != Mount("overlay", "o", ("b", "a"))
