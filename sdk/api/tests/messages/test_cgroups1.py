"""Metrics under cgroup v1 on the wire."""

from moorage_api.messages import cgroups1


def test_metrics_on_the_wire() -> None:
    metrics = cgroups1.Metrics(pids=cgroups1.PidsStat(current=3, limit=300))
    assert metrics.SerializeToString() == b"\x12\x05\x08\x03\x10\xac\x02"


def test_time_per_cpu_is_packed() -> None:
    usage = cgroups1.CPUUsage(per_cpu=[1, 2])
    assert usage.SerializeToString() == b"\x22\x02\x01\x02"
