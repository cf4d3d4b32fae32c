from __future__ import annotations

from pathlib import Path

from moorage_runtime_runc import cgroup1_stats, stats
from moorage_runtime_runc.cgroups import Cgroup

FILES = {
    "pids/pids.current": "3\n",
    "pids/pids.max": "max\n",
    "cpuacct/cpuacct.usage": "5000\n",
    "cpuacct/cpuacct.stat": "user 2\nsystem 1\n",
    "cpuacct/cpuacct.usage_percpu": "3000 2000 \n",
    "cpu/cpu.stat": "nr_periods 5\nnr_throttled 4\nthrottled_time 99\n",
    "memory/memory.stat": "cache 1\nrss 2\npgpgin 3\npgmajfault 4\ntotal_cache 10\ntotal_pgfault 11\n"
    "hierarchical_memory_limit 77\nhierarchical_memsw_limit 78\n",
    "memory/memory.usage_in_bytes": "500\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.failcnt": "6\n",
    "memory/memory.memsw.max_usage_in_bytes": "12\n",
    "memory/memory.kmem.tcp.usage_in_bytes": "13\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 8\n",
    "blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 100\n8:0 Write 200\nTotal 300\n",
    "blkio/blkio.bfq.io_serviced_recursive": "",
    "blkio/blkio.throttle.io_serviced_recursive": "8:0 Read 1\n",
    "blkio/blkio.bfq.time_recursive": "8:0 44\n",
    "hugetlb/hugetlb.2MB.usage_in_bytes": "2\n",
    "hugetlb/hugetlb.2MB.rsvd.usage_in_bytes": "3\n",
    "rdma/rdma.max": "mlx4_0 hca_handle=2 hca_object=2000\n",
}


def write(folder: Path) -> Cgroup:
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return Cgroup({path.name: path for path in folder.iterdir()})


def test_every_file_finds_its_field(tmp_path: Path) -> None:
    cgroup = write(tmp_path)
    found = cgroup1_stats.collect(cgroup)
    assert (found.pids.current, found.pids.limit) == (3, 0)
    assert (found.cpu.usage.total, list(found.cpu.usage.per_cpu)) == (5000, [3000, 2000])
    assert found.cpu.usage.user == 2 * found.cpu.usage.kernel > 0
    assert (found.cpu.throttling.periods, found.cpu.throttling.throttled_time) == (5, 99)
    memory = found.memory
    assert (memory.cache, memory.rss, memory.pg_pg_in, memory.pg_maj_fault) == (1, 2, 3, 4)
    assert (memory.total_cache, memory.total_pg_fault, memory.hierarchical_swap_limit) == (10, 11, 78)
    assert (memory.usage.usage, memory.usage.failcnt, memory.usage.limit) == (500, 6, 9223372036854771712)
    assert (memory.swap.max, memory.kernel_tcp.usage, found.memory_oom_control.oom_kill) == (12, 13, 8)
    entries = [(each.op, each.major, each.value) for each in found.blkio.io_service_bytes_recursive]
    assert entries == [("Read", 8, 100), ("Write", 8, 200)]
    assert [each.value for each in found.blkio.io_serviced_recursive] == [1]
    assert [(each.op, each.value) for each in found.blkio.io_time_recursive] == [("", 44)]
    assert [(each.pagesize, each.usage) for each in found.hugetlb] == [("2MB", 2)]
    assert found.rdma.limit[0].hca_objects == 2000
    assert stats.collect(cgroup) == found


def test_controllers_that_are_absent_stay_unset() -> None:
    found = cgroup1_stats.collect(Cgroup({"pids": Path("/no/such")}))
    assert found.HasField("pids") and not found.HasField("memory") and not found.HasField("cpu")
