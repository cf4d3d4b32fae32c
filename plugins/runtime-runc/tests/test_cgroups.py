from __future__ import annotations

import os
from pathlib import Path

import pytest

from moorage_runtime_runc import cgroups
from moorage_runtime_runc.cgroups import Cgroup
from moorage_sys import mountinfo


def test_our_own(tmp_path: Path) -> None:
    found = cgroups.of(os.getpid())
    assert found.paths and found.unified == cgroups.is_unified()
    if found.unified or "pids" in found.paths:
        assert os.getpid() in found.pids()
    with pytest.raises(ProcessLookupError):
        cgroups.of(2**22 + 1)


def test_pids_of_the_groups_beneath(tmp_path: Path) -> None:
    (tmp_path / "inner" / "most").mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text("1\n2\n")
    (tmp_path / "inner" / "cgroup.procs").write_text("3\n")
    (tmp_path / "inner" / "most" / "cgroup.procs").write_text("2\n4\n")
    assert Cgroup({"": tmp_path}).pids() == [1, 2, 3, 4]
    assert Cgroup({"memory": tmp_path, "pids": tmp_path / "inner"}).pids() == [1, 2, 3, 4]
    assert Cgroup({"pids": tmp_path / "gone"}).pids() == []
    assert Cgroup().pids() == []


def test_paths_of_version_1_respect_the_root_of_the_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"memory": ("/outer", Path("/cg/memory")), "pids": ("", Path("/cg/pids"))}
    monkeypatch.setattr(cgroups, "_v1_mounts", lambda: places)
    lines = ["5:memory:/outer/c", "4:pids,rdma:/x/c", "1:name=systemd:/c", "0::/c"]
    assert dict(cgroups._v1(lines)) == {"memory": Path("/cg/memory/c"), "pids": Path("/cg/pids/x/c")}
    assert Cgroup(dict(cgroups._v1(lines))).path("memory") == Path("/cg/memory/c")


def test_the_unified_hierarchy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "is_unified", lambda: True)
    found = cgroups.of(os.getpid())
    assert found.unified and found.path("memory") == found.path("anything")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: cgroups")
def test_an_empty_cgroup_goes_from_every_hierarchy_and_one_in_use_stays() -> None:
    points = [Path(each.mount_point) for each in mountinfo.read() if each.type in ("cgroup", "cgroup2")]
    name = f"/moorage-test-{os.getpid()}-empty"
    made = [point / name.strip("/") for point in points if os.access(point, os.W_OK)]
    for path in made:
        path.mkdir(exist_ok=True)
    assert made
    (made[0] / "inner").mkdir()
    assert not cgroups.remove(name)
    (made[0] / "inner").rmdir()
    assert cgroups.remove(name)
    assert not any(path.exists() for path in made)
    assert cgroups.remove(name) and cgroups.remove("/") and cgroups.remove("/../..")
