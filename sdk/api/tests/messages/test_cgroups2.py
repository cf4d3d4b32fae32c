"""Metrics under cgroup v2 on the wire."""

from moorage_api.messages import cgroups2


def test_metrics_on_the_wire() -> None:
    metrics = cgroups2.Metrics(pids=cgroups2.PidsStat(current=3))
    assert metrics.SerializeToString() == b"\x0a\x02\x08\x03"


def test_memory_is_field_four() -> None:
    metrics = cgroups2.Metrics(memory=cgroups2.MemoryStat(anon=1))
    assert metrics.SerializeToString() == b"\x22\x02\x08\x01"
