from __future__ import annotations

from pathlib import Path

from moorage_runtime_runc import cgroup2_stats, stats
from moorage_runtime_runc.cgroups import Cgroup

FILES = {
    "pids.current": "3\n",
    "pids.max": "max\n",
    "cpu.stat": "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_throttled 2\n",
    "cpu.pressure": "some avg10=0.50 avg60=0.25 avg300=0.10 total=1234\nfull avg10=0.00 avg60=0.00 total=7\n",
    "memory.stat": "anon 4096\nfile 8192\npgfault 11\nthp_collapse_alloc 5\nunheard_of 1\n",
    "memory.current": "12288\n",
    "memory.max": "max\n",
    "memory.peak": "20000\n",
    "memory.swap.max": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 4\noom 2\noom_kill 1\n",
    "io.stat": "8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:0\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.max": "max\n",
    "hugetlb.2MB.events": "max 3\n",
    "hugetlb.2MB.rsvd.current": "9\n",
    "rdma.current": "mlx4_0 hca_handle=2 hca_object=max\n",
}


def test_every_file_finds_its_field(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    found = cgroup2_stats.collect(tmp_path)
    assert (found.pids.current, found.pids.limit) == (3, stats.MAX)
    assert (found.cpu.usage_usec, found.cpu.nr_throttled, found.cpu.nr_periods) == (100, 2, 0)
    assert (found.cpu.psi.some.avg10, found.cpu.psi.some.total, found.cpu.psi.full.total) == (0.5, 1234, 7)
    assert (found.memory.anon, found.memory.pgfault, found.memory.usage) == (4096, 11, 12288)
    assert (found.memory.usage_limit, found.memory.swap_limit, found.memory.max_usage) == (stats.MAX, 0, 20000)
    assert (found.memory_events.oom, found.memory_events.oom_kill) == (2, 1)
    first = found.io.usage[0]
    assert (first.major, first.minor, first.wbytes, first.rios) == (8, 16, 20, 1)
    assert [(each.pagesize, each.current, each.failcnt) for each in found.hugetlb] == [("2MB", 2097152, 3)]
    assert [(each.device, each.hca_handles, each.hca_objects) for each in found.rdma.current] == [
        ("mlx4_0", 2, 2**32 - 1)
    ]
    assert stats.collect(Cgroup({"": tmp_path})) == found


def test_an_empty_folder_gives_zeros(tmp_path: Path) -> None:
    found = cgroup2_stats.collect(tmp_path)
    assert found.memory.usage == 0 and not found.io.usage


def test_of_a_controller_that_is_not_enabled_nothing_is_told(tmp_path: Path) -> None:
    """As in Manager.StatFiltered: the kernel has files of pressure all the same."""
    for name in ("cpu", "memory", "io"):
        (tmp_path / f"{name}.pressure").write_text(FILES["cpu.pressure"])
    found = cgroup2_stats.collect(tmp_path)
    assert not found.cpu.HasField("psi") and not found.memory.HasField("psi")
    assert found.io.psi.some.total == 1234
    assert not found.HasField("memory_events")
    (tmp_path / "io.pressure").unlink()
    assert not cgroup2_stats.collect(tmp_path).io.HasField("psi")
