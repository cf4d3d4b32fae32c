from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moorage_runtime_runc import spawns
from moorage_runtime_runc.spawns import Spawner, environment


def run(spawner: Spawner, *argv: str, env: dict[str, str] | None = None) -> str:
    """Standard output of a program, which also gets the write end as 3, 4 and 5."""
    read, write = os.pipe()
    pid = spawner.spawn(argv, {1: write, 3: write, 4: write, 5: write}, env)
    os.close(write)
    with open(read) as file:
        output = file.read()
    assert os.waitpid(pid, 0)[1] == 0
    return output


def _inherited(fd: int) -> bool:
    """Whether whoever started the tests let this descriptor through."""
    try:
        return fd > 2 and os.get_inheritable(fd)
    except OSError:
        return False


def test_the_child_has_what_it_was_given_and_nothing_else() -> None:
    spawner = Spawner({"A": "b", "NOTIFY_SOCKET": "/x", "PATH": os.environ["PATH"]})
    keep = os.open("/", os.O_RDONLY)
    inherited = {int(fd.name) for fd in Path("/proc/self/fd").iterdir() if _inherited(int(fd.name))}
    code = "import os; print(*(n for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)))"
    found = run(spawner, sys.executable, "-c", code).split()
    assert set(map(int, found)) == {0, 1, 2, 3, 4, 5} | inherited
    assert run(spawner, "sh", "-c", 'echo "$A$NOTIFY_SOCKET"; readlink /proc/self/fd/0') == "b\n/dev/null\n"
    assert run(spawner, "/usr/bin/env", env={"ONLY": "this"}) == "ONLY=this\n"
    os.close(keep)


def test_descriptors_may_have_each_others_numbers() -> None:
    first, second = os.memfd_create("one"), os.memfd_create("two")
    code = f"import os; os.write({second}, b'first'); os.write({first}, b'second')"
    pid = Spawner().spawn([sys.executable, "-c", code], {second: first, first: second})
    assert os.waitpid(pid, 0)[1] == 0
    assert (os.pread(first, 99, 0), os.pread(second, 99, 0)) == (b"first", b"second")
    os.close(first)
    os.close(second)


def test_a_program_works_where_it_is_told_to_and_we_stay(tmp_path: Path) -> None:
    before = Path.cwd()
    for folder, wanted in ((tmp_path, tmp_path), (tmp_path / "gone", before), (None, before)):
        read, write = os.pipe()
        pid = Spawner().spawn(["pwd", "-P"], {1: write}, folder=folder)
        os.close(write)
        with open(read) as file:
            assert file.read() == f"{wanted.resolve()}\n"
        assert (os.waitpid(pid, 0)[1], Path.cwd()) == (0, before)
    with pytest.raises(FileNotFoundError):
        Spawner().spawn(["no-such-program"], {}, folder=tmp_path)
    assert Path.cwd() == before


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        Spawner().spawn(["no-such-program"], {})


def test_signals_ignored_by_python_are_not_ignored_by_the_child() -> None:
    ignored = int(run(Spawner(), "grep", "SigIgn", "/proc/self/status").split()[1], 16)
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


def test_the_limit_of_open_files_is_the_original_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(777, hard), hard))
        spawner = Spawner()
        spawner.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert run(spawner, "sh", "-c", "ulimit -Sn; ulimit -Hn").split() == ["777", str(hard)]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_that_a_daemon_was_started_with_goes_before_ours() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    ask = ("sh", "-c", "ulimit -Sn; ulimit -Hn; echo $MOORAGE_RLIMIT_NOFILE")
    told = {**os.environ, spawns.FILES: f"{hard - 5}:{hard}"}
    assert Spawner(told).files == (hard - 5, hard)
    assert run(Spawner(told), *ask).split() == [str(hard - 5), str(hard)]
    assert run(Spawner(told, files=(hard - 6, hard)), *ask).split() == [str(hard - 6), str(hard)]
    assert Spawner({**told, spawns.FILES: "x:"}).files == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_more_descriptors_than_the_limit_of_the_child() -> None:
    """posix_spawn(3) refuses numbers that the limit forbids, which is the child's at that moment."""
    code = """
import os, resource
from moorage_runtime_runc.spawns import Spawner
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
spawner = Spawner()
spawner.raise_limit()
ends = [os.pipe() for _ in range(200)]
read, write = ends[-1]
for _ in range(2):
    assert os.waitpid(spawner.spawn(["sh", "-c", "ulimit -Sn"], {1: write, 3: write, 4: write, 5: write}), 0)[1] == 0
    assert os.read(read, 99) == b"128\\n"
os.close(write)
assert os.read(read, 99) == b"", "an end stays open"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_systemds_variables_are_dropped() -> None:
    assert environment({"LISTEN_FDS": "1", "NOTIFY_SOCKET": "x", "HOME": "/"}) == {"HOME": "/"}


def test_nothing_forks() -> None:
    code = (
        "import sys, os\n"
        "forks = []\n"
        "sys.addaudithook(lambda event, _: forks.append(event) if event in ('os.fork', 'os.forkpty') else None)\n"
        "from moorage_runtime_runc.spawns import Spawner\n"
        "os.waitpid(Spawner().spawn(['true'], {}), 0)\n"
        "assert not forks\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
