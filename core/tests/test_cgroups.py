import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_core import cgroups
from moorage_sdk import errors


def hierarchy(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.procs").touch()
    return folder


def test_without_a_path_the_daemon_stays_where_it_is(tmp_path: Path) -> None:
    cgroups.enter("", tmp_path / "absent")


def test_the_unified_hierarchy_is_the_only_one(tmp_path: Path) -> None:
    hierarchy(tmp_path)
    (tmp_path / "cgroup.controllers").touch()
    hierarchy(tmp_path / "user.slice")
    assert cgroups.hierarchies(tmp_path) == [tmp_path]
    cgroups.enter("/a/b", tmp_path)
    assert (tmp_path / "a/b/cgroup.procs").read_text() == str(os.getpid())


def test_of_the_older_hierarchies_each_gets_the_group(tmp_path: Path) -> None:
    for name in ("cpu,cpuacct", "cpuset", "unified"):
        hierarchy(tmp_path / name)
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    (tmp_path / "other").mkdir()
    (tmp_path / "cpuset/cpuset.cpus").write_text("0-1\n")
    (tmp_path / "cpuset/daemon").mkdir()
    (tmp_path / "cpuset/daemon/cpuset.cpus").write_text("\n")
    cgroups.enter("daemon", tmp_path)
    for name in ("cpu,cpuacct", "cpuset", "unified"):
        assert (tmp_path / name / "daemon/cgroup.procs").read_text() == str(os.getpid())
    assert (tmp_path / "cpuset/daemon/cpuset.cpus").read_text() == "0-1\n"
    assert not (tmp_path / "other/daemon").exists()


@pytest.mark.parametrize("path", ["..", "a/../../b", "/"])
def test_a_path_out_of_the_hierarchy_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="leads out of the hierarchy"):
        cgroups.enter(path, tmp_path)


def test_what_the_kernel_refuses_says_where(tmp_path: Path) -> None:
    hierarchy(tmp_path)
    (tmp_path / "cgroup.controllers").touch()
    (tmp_path / "a").write_text("a file")
    with pytest.raises(errors.FailedPrecondition, match=f'cgroup "{tmp_path}/a/b": File exists'):
        cgroups.enter("a/b", tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(not os.access(cgroups.PLACE, os.W_OK), reason="no writable control groups here")
def test_a_real_process_moves() -> None:
    name = f"moorage-test-{os.getpid()}"
    found = cgroups.hierarchies()
    if not found:
        pytest.skip("no control groups are mounted here")
    code = f"from moorage_core import cgroups; cgroups.enter('/{name}/daemon'); print(open('/proc/self/cgroup').read())"
    try:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        lines = [line for line in done.stdout.splitlines() if line.endswith(f"/{name}/daemon")]
        assert len(lines) >= len(found)
    finally:
        for each in found:
            for folder in (each / name / "daemon", each / name):
                if folder.is_dir():
                    folder.rmdir()
