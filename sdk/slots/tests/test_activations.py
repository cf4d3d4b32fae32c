import pytest

from moorage_sdk.activations import MOUNT_HANDLER, MOUNT_MANAGER, Activation, ActiveMount, MountHandler, MountManager
from moorage_sdk.mounts import Mount


def test_the_slots_are_containerds() -> None:
    assert (MOUNT_MANAGER.name, MOUNT_MANAGER.type) == ("mount-manager", "io.containerd.mount-manager.v1")
    assert (MOUNT_HANDLER.name, MOUNT_HANDLER.type) == ("mount-handler", "io.containerd.mount-handler.v1")


def test_activations_can_be_compared() -> None:
    done = ActiveMount(Mount("loop", "/disk"), "/run/0", 7)
    assert Activation("a", (done,)) == Activation("a", (ActiveMount(Mount("loop", "/disk"), "/run/0", 7),))
    assert Activation("a", (done,)) != Activation("a", system=(done.mount,))


def test_a_manager_and_a_handler_must_do_everything() -> None:
    assert {"concerns", "activate", "lent", "deactivate", "info", "update", "list"} == MountManager.__abstractmethods__
    with pytest.raises(TypeError, match="unmount"):
        MountHandler()  # type: ignore[abstract]
