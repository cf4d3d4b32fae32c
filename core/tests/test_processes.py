"""What is set once for a process is tested in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moorage_core import processes

HEAD = "from moorage_core import processes\nimport os, sys, subprocess, resource, time\n"


def run(code: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", HEAD + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **kwargs)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("fork", ["os.fork()", "os.forkpty()"])
def test_forking_is_forbidden(fork: str) -> None:
    done = run(f"processes.harden('x')\ntry:\n    {fork}\nexcept RuntimeError as error:\n    print(error)")
    assert "forbidden in the daemon" in done.stdout
    assert done.returncode == 0


def test_starting_processes_is_not() -> None:
    done = run("processes.harden('x')\nprint(subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout)")
    assert done.stdout.strip() == "hi"


def test_the_process_is_named_and_private_and_may_open_many_files() -> None:
    done = run(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))\nos.umask(0)\nprocesses.harden('mooraged')\n"
        "print(open('/proc/self/comm').read().strip(), oct(os.umask(0)), resource.getrlimit(resource.RLIMIT_NOFILE),"
        " os.environ[processes.NOFILE], sys.getswitchinterval())"
    )
    assert done.stdout.strip() == "mooraged 0o77 (200, 200) 100:200 0.0005"


def test_code_that_others_can_change_is_found(tmp_path: Path) -> None:
    modes = {"fine": 0o755, "private": 0o700, "world": 0o757, "group": 0o775}
    for name, mode in modes.items():
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
        os.chown(tmp_path / name, -1, 4321 if os.geteuid() == 0 and name == "group" else -1)
    found = processes.exposed([str(tmp_path / name) for name in (*modes, "absent")])
    expected = ["world", "group"] if (tmp_path / "group").stat().st_gid else ["world"]
    assert [Path(path).name for path in found] == expected


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away, which only root can")
def test_code_that_belongs_to_others_is_found(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 0)
    assert processes.exposed([str(tmp_path)]) == [str(tmp_path)]


def test_raising_the_oom_score_works_and_what_does_not_is_no_reason_to_fail() -> None:
    done = run(
        "processes.adjust_oom_score(0)\nbefore = open('/proc/self/oom_score_adj').read()\n"
        "processes.adjust_oom_score(500)\nprint(before.strip(), open('/proc/self/oom_score_adj').read().strip())\n"
        "processes.adjust_oom_score(5000)"
    )
    assert done.stdout.split()[1] == "500" != done.stdout.split()[0]
    assert done.returncode == 0
    assert "cannot adjust the oom score" in done.stderr


def test_temporary_files_go_where_they_are_told(tmp_path: object) -> None:
    done = run(
        f"import tempfile\ntempfile.gettempdir()\nprocesses.use_temporary('{tmp_path}/t')\n"
        "print(tempfile.gettempdir(), os.environ['TMPDIR'], oct(os.stat(tempfile.gettempdir()).st_mode & 0o777))"
    )
    assert done.stdout.split() == [f"{tmp_path}/t", f"{tmp_path}/t", "0o700"]


def test_stacks_of_threads_and_tasks_are_dumped(tmp_path: object) -> None:
    done = run(
        "import asyncio, logging\nlogging.basicConfig(level='INFO', format='%(message)s %(path)s')\n"
        "async def waiting(): await asyncio.sleep(9)\n"
        "async def main():\n"
        "    task = asyncio.ensure_future(waiting())\n    await asyncio.sleep(0)\n"
        "    path = processes.dump_stacks('x', [task])\n"
        "    print(path, oct(path.stat().st_mode & 0o777))\n    print(path.read_text())\n    task.cancel()\n"
        "asyncio.run(main())",
        env={"TMPDIR": str(tmp_path)},
    )
    assert done.stdout.startswith(f"{tmp_path}/x.") and "0o600" in done.stdout.splitlines()[0]
    assert "waiting" in done.stdout and "Current thread" in done.stdout
    assert "stacks of all threads and tasks" in done.stderr


def test_a_task_of_compiled_code_is_dumped_too(tmp_path: Path) -> None:
    """grpc's coroutines have frames without line numbers, for which asyncio's own printing raises TypeError."""

    class Task:
        def get_stack(self) -> list[SimpleNamespace]:
            return [SimpleNamespace(f_code=SimpleNamespace(co_filename="x.pyx", co_name="serve"), f_lineno=None)]

    tasks: Any = [Task()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes.tempfile, "gettempdir", lambda: str(tmp_path))
        path = processes.dump_stacks("x", tasks)
    assert path is not None
    assert 'File "x.pyx", line None, in serve' in path.read_text()


def test_a_link_in_the_place_of_the_stacks_is_replaced_not_followed(tmp_path: object) -> None:
    done = run(
        f"precious = '{tmp_path}/precious'\nopen(precious, 'w').write('data')\n"
        f"os.symlink(precious, f'{tmp_path}/x.{{os.getpid()}}.stacks.log')\n"
        "processes.dump_stacks('x')\nprint(open(precious).read())",
        env={"TMPDIR": str(tmp_path)},
    )
    assert done.stdout.strip() == "data"


def test_leaving_flushes_and_runs_nothing_else() -> None:
    done = run("import atexit\natexit.register(print, 'never')\nprint('said', end='')\nprocesses.leave(7)")
    assert (done.returncode, done.stdout) == (7, "said")


def test_leaving_from_a_handler_that_interrupted_a_flush() -> None:
    done = run(
        "class Busy:\n    def flush(self): raise RuntimeError('reentrant call')\n"
        "sys.stdout = Busy()\nprocesses.leave(7)"
    )
    assert done.returncode == 7


def test_a_deadline_ends_a_process_that_hangs_and_spares_one_that_does_not(tmp_path: Path) -> None:
    done = run("processes.Deadline(0.2, 'x')\ntime.sleep(25)", env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 1
    done = run("deadline = processes.Deadline(0.2, 'x')\ndeadline.cancel()\ntime.sleep(0.5)\nprint('alive')")
    assert (done.returncode, done.stdout.strip()) == (0, "alive")
