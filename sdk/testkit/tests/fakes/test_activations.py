import pytest

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_testkit.fakes.activations import MemoryMountManager

LOOP, BIND = Mount("loop", "/disk"), Mount("bind", "/a")
EXT4 = Mount("format/ext4", "{{ mount 0 }}")


def test_a_life() -> None:
    manager = MemoryMountManager()
    done = manager.activate("ns", "web", [LOOP, EXT4], labels={"a": "b"}, lease="l")
    assert [active.mount for active in done.active] == [LOOP]
    assert [mount.type for mount in done.system] == ["ext4"]
    assert manager.info("ns", "web") == done
    assert manager.list("ns") == [done]
    assert manager.list("other") == []
    assert manager.asked["ns", "web"] == {"temporary": False, "allowed": (), "lease": "l"}
    with pytest.raises(errors.AlreadyExists):
        manager.activate("ns", "web", [LOOP])
    manager.deactivate("ns", "web")
    with pytest.raises(errors.NotFound):
        manager.deactivate("ns", "web")


def test_what_it_does_not_do() -> None:
    manager = MemoryMountManager()
    for mounts, allowed in (([BIND], ()), ([LOOP, BIND], ("loop",))):
        with pytest.raises(errors.Unimplemented):
            manager.activate("ns", "web", mounts, allowed=allowed)
    assert manager.activate("ns", "web", [BIND], temporary=True)
    with pytest.raises(errors.Unimplemented):
        manager.update("ns", manager.info("ns", "web"))
    with pytest.raises(errors.FailedPrecondition):
        manager.list("")
    manager.failing = errors.Internal("broken")
    with pytest.raises(errors.Internal):
        manager.activate("ns", "two", [LOOP])


def test_lending() -> None:
    manager = MemoryMountManager()
    with manager.lent([BIND]) as plain:
        assert plain == (BIND,)
        assert manager.activations == {}
    with manager.lent([LOOP, EXT4]) as lent:
        assert [mount.type for mount in lent] == ["ext4"]
        assert len(manager.activations) == 1
    assert manager.activations == {}
