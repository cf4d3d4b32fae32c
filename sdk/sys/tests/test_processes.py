import os
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_sys import processes

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(code: str, *arguments: str) -> str:
    """Attributes of a process are changed in a process of their own."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_subreaper() -> None:
    code = "from moorage_sys import processes as p; p.set_subreaper(); print(p.is_subreaper())"
    assert not processes.is_subreaper()
    assert run(code) == "True"


def test_no_new_privileges_name_and_dumpable() -> None:
    code = (
        "from moorage_sys import processes as p; p.set_no_new_privileges(); p.set_name('a-name-longer-than-it-may-be');"
        "p.set_dumpable(False); print(open('/proc/thread-self/status').read())"
    )
    status = run(code)
    assert "NoNewPrivs:\t1" in status
    assert "Name:\ta-name-longer-t\n" in status


def test_close_from() -> None:
    code = (
        "from moorage_sys import processes as p; import os; os.dup2(1, 40); p.close_from(41);"
        "os.set_inheritable(40, True); p.close_from(40, on_exec_only=True); print(os.get_inheritable(40));"
        "p.close_from(40); print(os.path.exists('/proc/self/fd/40'))"
    )
    assert run(code).split() == ["False", "False"]


@root_only
def test_unshare() -> None:
    code = (
        "from moorage_sys import processes as p; import os; ns = lambda: os.readlink('/proc/thread-self/ns/mnt');"
        "a = ns(); p.unshare(p.CLONE_NEWNS); print(a != ns())"
    )
    assert run(code) == "True"


@root_only
def test_pivot_root_leaves_nothing_of_the_old_root(tmp_path: Path) -> None:
    (tmp_path / "only").touch()
    code = (
        "from moorage_sys import processes as p, mounts, mount_api; import os, sys; p.unshare(p.CLONE_NEWNS);"
        "mounts.make_private(); fd = mount_api.clone_tree(sys.argv[1]); mount_api.attach(fd, sys.argv[1]);"
        "p.pivot_root(sys.argv[1]); print(os.listdir('/'), os.getcwd(), os.listdir('/..'))"
    )
    assert run(code, str(tmp_path)) == "['only'] / ['only']"
