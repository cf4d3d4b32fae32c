"""``io.containerd.cgroups.v1.Metrics``, with the files that cgroup1/*.go in github.com/containerd/cgroups reads."""

from __future__ import annotations

import os
from pathlib import Path

from moorage_api.messages import cgroups1
from moorage_runtime_runc import stats
from moorage_runtime_runc.cgroup2_stats import rdma_number
from moorage_runtime_runc.cgroups import Cgroup

_NANOSECONDS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")

_BLKIO = {
    "io_service_bytes_recursive": ("blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"),
    "io_serviced_recursive": ("blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"),
    "io_queued_recursive": ("blkio.bfq.io_queued_recursive",),
    "io_service_time_recursive": ("blkio.bfq.io_service_time_recursive",),
    "io_wait_time_recursive": ("blkio.bfq.io_wait_time_recursive",),
    "io_merged_recursive": ("blkio.bfq.io_merged_recursive",),
    "io_time_recursive": ("blkio.bfq.time_recursive",),
    "sectors_recursive": ("blkio.bfq.sectors_recursive",),
}
"""Field -> files, of which the first that says anything is taken: which there are depends on the I/O scheduler."""

_PLAIN_MEMORY = [
    "cache",
    "rss",
    "rss_huge",
    "mapped_file",
    "dirty",
    "writeback",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
]
_RENAMED_MEMORY = {"pg_pg_in": "pgpgin", "pg_pg_out": "pgpgout", "pg_fault": "pgfault", "pg_maj_fault": "pgmajfault"}


def collect(cgroup: Cgroup) -> cgroups1.Metrics:
    """Controllers that the host lacks stay unset."""
    metrics = cgroups1.Metrics()
    if (path := cgroup.path("pids")) is not None:
        metrics.pids.CopyFrom(_pids(path))
    if (path := cgroup.path("cpuacct")) is not None:
        metrics.cpu.usage.CopyFrom(_cpu_usage(path))
    if (path := cgroup.path("cpu")) is not None:
        metrics.cpu.throttling.CopyFrom(_throttling(path))
    if (path := cgroup.path("memory")) is not None:
        metrics.memory.CopyFrom(_memory(path))
        metrics.memory_oom_control.CopyFrom(_oom_control(path))
    if (path := cgroup.path("blkio")) is not None:
        metrics.blkio.CopyFrom(_blkio(path))
    if (path := cgroup.path("hugetlb")) is not None:
        metrics.hugetlb.extend(_hugetlb(path, size) for size in stats.page_sizes(path, "usage_in_bytes"))
    if (path := cgroup.path("rdma")) is not None:
        metrics.rdma.CopyFrom(cgroups1.RdmaStat(current=_rdma(path / "rdma.current"), limit=_rdma(path / "rdma.max")))
    return metrics


def _pids(path: Path) -> cgroups1.PidsStat:
    limit = stats.number(path / "pids.max", unlimited=0)  # 0 is how this version says "no limit"
    return cgroups1.PidsStat(current=stats.number(path / "pids.current"), limit=limit)


def _cpu_usage(path: Path) -> cgroups1.CPUUsage:
    ticks = stats.table(path / "cpuacct.stat")
    return cgroups1.CPUUsage(
        total=stats.number(path / "cpuacct.usage"),
        kernel=ticks.get("system", 0) * _NANOSECONDS_PER_TICK,
        user=ticks.get("user", 0) * _NANOSECONDS_PER_TICK,
        per_cpu=[int(each) for each in stats.read(path / "cpuacct.usage_percpu").split()],
    )


def _throttling(path: Path) -> cgroups1.Throttle:
    found = stats.table(path / "cpu.stat")
    return cgroups1.Throttle(
        periods=found.get("nr_periods", 0),
        throttled_periods=found.get("nr_throttled", 0),
        throttled_time=found.get("throttled_time", 0),
    )


def _memory(path: Path) -> cgroups1.MemoryStat:
    found = stats.table(path / "memory.stat")
    own = {name: name for name in _PLAIN_MEMORY} | _RENAMED_MEMORY
    fields = own | {f"total_{field}": f"total_{name}" for field, name in own.items()}
    return cgroups1.MemoryStat(
        **{field: found.get(name, 0) for field, name in fields.items()},
        hierarchical_memory_limit=found.get("hierarchical_memory_limit", 0),
        hierarchical_swap_limit=found.get("hierarchical_memsw_limit", 0),
        usage=_entry(path, "memory"),
        swap=_entry(path, "memory.memsw"),
        kernel=_entry(path, "memory.kmem"),
        kernel_tcp=_entry(path, "memory.kmem.tcp"),
    )


def _entry(path: Path, prefix: str) -> cgroups1.MemoryEntry:
    return cgroups1.MemoryEntry(
        usage=stats.number(path / f"{prefix}.usage_in_bytes"),
        max=stats.number(path / f"{prefix}.max_usage_in_bytes"),
        limit=stats.number(path / f"{prefix}.limit_in_bytes"),
        failcnt=stats.number(path / f"{prefix}.failcnt"),
    )


def _oom_control(path: Path) -> cgroups1.MemoryOomControl:
    found = stats.table(path / "memory.oom_control")
    return cgroups1.MemoryOomControl(
        oom_kill_disable=found.get("oom_kill_disable", 0),
        under_oom=found.get("under_oom", 0),
        oom_kill=found.get("oom_kill", 0),
    )


def _blkio(path: Path) -> cgroups1.BlkIOStat:
    result = cgroups1.BlkIOStat()
    for field, names in _BLKIO.items():
        texts = (stats.read(path / name) for name in names)
        entries = next((found for text in texts if (found := _blkio_entries(text))), [])
        getattr(result, field).extend(entries)
    return result


def _blkio_entries(text: str) -> list[cgroups1.BlkIOEntry]:
    """Lines ``8:0 Read 1024`` or ``8:0 1024``; the closing ``Total`` has no device and is none of them."""
    entries = []
    for line in text.splitlines():
        device, *rest = line.split()
        major, colon, minor = device.partition(":")
        if colon and rest and rest[-1].isdecimal():
            operation = rest[0] if len(rest) == 2 else ""
            numbers = {"major": int(major), "minor": int(minor), "value": int(rest[-1])}
            entries.append(cgroups1.BlkIOEntry(op=operation, device=_device(device), **numbers))
    return entries


def _device(number: str) -> str:
    """The name below /dev of a block device, "" if it has none."""
    try:
        return f"/dev/{Path(f'/sys/dev/block/{number}').readlink().name}"
    except OSError:
        return ""


def _hugetlb(path: Path, size: str) -> cgroups1.HugetlbStat:
    prefix = f"hugetlb.{size}"
    return cgroups1.HugetlbStat(
        pagesize=size,
        usage=stats.number(path / f"{prefix}.usage_in_bytes"),
        max=stats.number(path / f"{prefix}.max_usage_in_bytes"),
        failcnt=stats.number(path / f"{prefix}.failcnt"),
    )


def _rdma(path: Path) -> list[cgroups1.RdmaEntry]:
    return [
        cgroups1.RdmaEntry(
            device=device,
            hca_handles=rdma_number(fields.get("hca_handle", "0")),
            hca_objects=rdma_number(fields.get("hca_object", "0")),
        )
        for device, fields in stats.assignments(path)
    ]
