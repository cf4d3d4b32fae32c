"""``io.containerd.cgroups.v2.Metrics`` of a directory, as cgroup2/manager.go in github.com/containerd/cgroups."""

from __future__ import annotations

from pathlib import Path

from moorage_api.messages import cgroups2
from moorage_runtime_runc import stats

_CPU = (
    "usage_usec",
    "user_usec",
    "system_usec",
    "nr_periods",
    "nr_throttled",
    "throttled_usec",
    "nr_bursts",
    "burst_usec",
)
_EVENTS = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill")
_PLAIN_MEMORY = [
    "anon",
    "file",
    "kernel_stack",
    "slab",
    "sock",
    "shmem",
    "file_mapped",
    "file_dirty",
    "file_writeback",
    "anon_thp",
    "inactive_anon",
    "active_anon",
    "inactive_file",
    "active_file",
    "unevictable",
    "slab_reclaimable",
    "slab_unreclaimable",
    "pgfault",
    "pgmajfault",
    "workingset_refault",
    "workingset_activate",
    "workingset_nodereclaim",
    "pgrefill",
    "pgscan",
    "pgsteal",
    "pgactivate",
    "pgdeactivate",
    "pglazyfree",
    "pglazyfreed",
    "thp_fault_alloc",
    "thp_collapse_alloc",
]
"""Fields whose name is the one in memory.stat."""


def collect(path: Path) -> cgroups2.Metrics:
    return cgroups2.Metrics(
        pids=cgroups2.PidsStat(current=stats.number(path / "pids.current"), limit=stats.number(path / "pids.max")),
        cpu=_cpu(path),
        memory=_memory(path),
        memory_events=_memory_events(path),
        io=_io(path),
        rdma=cgroups2.RdmaStat(current=_rdma(path / "rdma.current"), limit=_rdma(path / "rdma.max")),
        hugetlb=[_hugetlb(path, size) for size in stats.page_sizes(path, "current")],
    )


def _cpu(path: Path) -> cgroups2.CPUStat:
    if not (found := stats.table(path / "cpu.stat")):
        return cgroups2.CPUStat()
    return cgroups2.CPUStat(**_some(found, _CPU), psi=_psi(path / "cpu.pressure"))


def _memory(path: Path) -> cgroups2.MemoryStat:
    """Empty where the controller is not enabled: there is a memory.pressure all the same, which nobody tells of."""
    if not (found := stats.table(path / "memory.stat")):
        return cgroups2.MemoryStat()
    return cgroups2.MemoryStat(
        **_some(found, _PLAIN_MEMORY),
        usage=stats.number(path / "memory.current"),
        usage_limit=stats.number(path / "memory.max"),
        max_usage=stats.number(path / "memory.peak"),
        swap_usage=stats.number(path / "memory.swap.current"),
        swap_limit=stats.number(path / "memory.swap.max"),
        swap_max_usage=stats.number(path / "memory.swap.peak"),
        psi=_psi(path / "memory.pressure"),
    )


def _memory_events(path: Path) -> cgroups2.MemoryEvents | None:
    found = stats.table(path / "memory.events")
    return cgroups2.MemoryEvents(**_some(found, _EVENTS)) if found else None


def _io(path: Path) -> cgroups2.IOStat:
    entries = []
    for device, fields in stats.assignments(path / "io.stat"):
        major, _, minor = device.partition(":")
        if minor.isdecimal():
            numbers = {name: int(fields.get(name, 0)) for name in ("rbytes", "wbytes", "rios", "wios")}
            entries.append(cgroups2.IOEntry(major=int(major), minor=int(minor), **numbers))
    return cgroups2.IOStat(usage=entries, psi=_psi(path / "io.pressure"))


def _psi(path: Path) -> cgroups2.PSIStats | None:
    """None where the kernel does not measure pressure."""
    if not (lines := dict(stats.assignments(path))):
        return None
    return cgroups2.PSIStats(**{word: _psi_data(lines[word]) for word in ("some", "full") if word in lines})


def _psi_data(fields: dict[str, str]) -> cgroups2.PSIData:
    averages = {name: float(fields.get(name, 0)) for name in ("avg10", "avg60", "avg300")}
    return cgroups2.PSIData(**averages, total=int(fields.get("total", 0)))


def _rdma(path: Path) -> list[cgroups2.RdmaEntry]:
    return [
        cgroups2.RdmaEntry(
            device=device,
            hca_handles=rdma_number(fields.get("hca_handle", "0")),
            hca_objects=rdma_number(fields.get("hca_object", "0")),
        )
        for device, fields in stats.assignments(path)
    ]


def rdma_number(text: str) -> int:
    """The messages have 32 bits for it, and "max" is all of them."""
    return 2**32 - 1 if text == "max" else int(text) & (2**32 - 1)


def _hugetlb(path: Path, size: str) -> cgroups2.HugeTlbStat:
    return cgroups2.HugeTlbStat(
        pagesize=size,
        current=stats.number(path / f"hugetlb.{size}.current"),
        max=stats.number(path / f"hugetlb.{size}.max"),
        failcnt=stats.table(path / f"hugetlb.{size}.events").get("max", 0),
    )


def _some(found: dict[str, int], names: tuple[str, ...] | list[str]) -> dict[str, int]:
    return {name: found.get(name, 0) for name in names}
