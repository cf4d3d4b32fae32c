from __future__ import annotations

import os
import subprocess
import sys

import pytest

from moorage_sys import pidfds
from moorage_testkit import kernels
from moorage_testkit.daemons import Program

ASK = "import os; from moorage_sys import pidfds; print(pidfds.has_exit_info(), os.isatty(0))"


@pytest.mark.skipif(os.geteuid() != 0 or not kernels.supported(), reason="needs root: a system call filter")
def test_what_is_refused_and_nothing_else() -> None:
    program = kernels.without_exit_info(Program((sys.executable, "-c", ASK), env={"A": "1"}))
    done = subprocess.run(program.command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert program.env == {"A": "1"}
    plain = subprocess.run(
        [sys.executable, "-c", ASK], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert plain.stdout.split() == [str(pidfds.has_exit_info()), "False"]


def test_an_old_kernel_says_so() -> None:
    ask = Program((sys.executable, "-c", "from moorage_sys import kernels; print(kernels.version())"), env={"A": "1"})
    program = kernels.old(ask)
    assert subprocess.run(program.command, capture_output=True, text=True, check=True).stdout == "(2, 6)\n"
    assert program.env == {"A": "1"}
