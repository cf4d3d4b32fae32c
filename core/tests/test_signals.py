"""Handlers belong to a process, so each test has one of its own."""

import subprocess
import sys

HEAD = """
import asyncio, os, signal, subprocess, sys, time
from moorage_core.signals import Signals
signals = Signals("x")
signals.install()
me = os.getpid()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-c", HEAD + code], capture_output=True, text=True, timeout=30, check=False
    )


def test_asking_to_stop_before_the_loop_runs_is_remembered() -> None:
    done = run(
        "os.kill(me, signal.SIGTERM)\nasync def main():\n    await asyncio.wait_for(signals.attach().wait(), 5)\n"
        "asyncio.run(main())\nprint(signals.stopping)"
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True")


def test_asking_to_stop_wakes_the_loop() -> None:
    for number in ("SIGTERM", "SIGINT"):
        done = run(
            "async def main():\n    event = signals.attach()\n"
            f"    asyncio.get_running_loop().call_later(0.1, os.kill, me, signal.{number})\n"
            "    await asyncio.wait_for(event.wait(), 5)\nasyncio.run(main())\nprint('woke')"
        )
        assert done.stdout.strip() == "woke", done.stderr


def test_a_signal_that_another_thread_got_wakes_the_loop() -> None:
    done = run(
        "import threading\nthread = threading.Thread(target=time.sleep, args=(9,), daemon=True)\nthread.start()\n"
        "late = []\nasync def main():\n    event = signals.attach()\n"
        "    asyncio.get_running_loop().call_later(5, late.append, 'the loop slept on')\n"
        "    threading.Timer(0.1, lambda: signal.pthread_kill(thread.ident, signal.SIGTERM)).start()\n"
        "    await event.wait()\n"
        "asyncio.run(main())\nprint('woke', *late, flush=True)\nos._exit(0)"
    )
    assert done.stdout.strip() == "woke", done.stderr


def test_a_second_request_ends_at_once() -> None:
    done = run(
        "os.kill(me, signal.SIGTERM)\ntime.sleep(0.6)\nos.kill(me, signal.SIGINT)\ntime.sleep(25)\nprint('never')"
    )
    assert (done.returncode, done.stdout) == (1, "")


def test_a_request_that_is_sent_twice_is_one() -> None:
    """As by ``timeout``, which tells the process and then its group."""
    done = run("os.kill(me, signal.SIGTERM)\nos.kill(me, signal.SIGTERM)\nprint('cleans up', signals.stopping)")
    assert (done.returncode, done.stdout.strip()) == (0, "cleans up True")


def test_hangup_and_broken_pipe_do_nothing_here_and_are_default_in_children() -> None:
    show = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)"
    done = run(
        "os.kill(me, signal.SIGHUP)\nos.kill(me, signal.SIGPIPE)\n"
        f"subprocess.run([sys.executable, '-I', '-c', {show!r}])"
    )
    assert (done.returncode, done.stdout.strip()) == (0, "True")


def test_stacks_on_demand() -> None:
    done = run(
        "import logging\nlogging.basicConfig(level='INFO')\nos.environ.pop('TMPDIR', None)\n"
        "import tempfile\ntempfile.tempdir = tempfile.mkdtemp()\n"
        "async def waiting():\n    await asyncio.sleep(9)\n"
        "async def main():\n    signals.attach()\n    task = asyncio.ensure_future(waiting())\n"
        "    await asyncio.sleep(0)\n    os.kill(me, signal.SIGUSR1)\n    await asyncio.sleep(0)\n    task.cancel()\n"
        "asyncio.run(main())\n(file,) = os.listdir(tempfile.tempdir)\n"
        "print(open(os.path.join(tempfile.tempdir, file)).read())\nimport shutil\nshutil.rmtree(tempfile.tempdir)"
    )
    assert "Task" in done.stdout and "waiting" in done.stdout, done.stderr
