import subprocess
import sys

import pytest

from moorage_sys import seccomp


def simulate(program: list[tuple[int, int, int, int]], architecture: int, number: int) -> int:
    """The four instructions of classic BPF that the filter uses."""
    counter, accumulator = 0, 0
    while True:
        code, true, false, value = program[counter]
        counter += 1
        if code == 0x06:
            return value
        if code == 0x20:
            accumulator = {0: number, 4: architecture}[value]
        elif code == 0x15:
            counter += true if accumulator == value else false
        elif code == 0x35:
            counter += true if accumulator >= value else false


@pytest.mark.parametrize(("machine", "architecture"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_denies_what_is_listed_and_nothing_else(machine: str, architecture: int) -> None:
    denied = ["mount", "ptrace", "bpf", "fsopen"]
    program = seccomp.program(denied, machine)
    for name, number in seccomp.NUMBERS[machine].items():
        allowed = simulate(program, architecture, number) == 0x7FFF0000
        assert allowed == (name not in denied), name
    assert simulate(program, architecture, 0) == 0x7FFF0000
    assert simulate(program, 0x40000003, 0) == 0x80000000


def test_x32_calls_do_not_walk_around_the_list() -> None:
    program = seccomp.program(["mount"], "x86_64")
    assert simulate(program, 0xC000003E, 0x40000000 + 165) == 0x00050001


def test_unknown_names_are_errors() -> None:
    with pytest.raises(KeyError):
        seccomp.program(["make_coffee"], "x86_64")
    with pytest.raises(KeyError):
        seccomp.program(["mount"], "pdp11")


@pytest.mark.skipif(not seccomp.supported(), reason="no table for this architecture")
def test_kernel_enforces_it() -> None:
    code = (
        "from moorage_sys import processes, seccomp; import socket; processes.set_no_new_privileges();"
        "seccomp.deny(['socket'])\ntry:\n socket.socket()\nexcept PermissionError: print('denied')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "denied"
