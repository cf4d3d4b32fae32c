import pytest

from moorage_sdk.container_monitors import CONTAINER_MONITOR, ContainerMonitor


def test_a_monitor_can_be_asked_to_look_now() -> None:
    with pytest.raises(TypeError, match="reconcile"):
        ContainerMonitor()  # type: ignore[abstract]


def test_the_slot_is_containerds() -> None:
    assert (CONTAINER_MONITOR.name, CONTAINER_MONITOR.type) == (
        "container-monitor",
        "io.containerd.monitor.container.v1",
    )
