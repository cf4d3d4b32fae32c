from __future__ import annotations

import os
from pathlib import Path

import pytest

from moorage_runtime_runc import inheritances
from moorage_runtime_runc.inheritances import Inheritance
from moorage_sdk import errors
from moorage_ttrpc.servers import Handover


def test_a_successor_reads_what_was_written() -> None:
    held = inheritances.grouped({"ns/c//pidfd": 5, "ns/c//stdout": 6, "ns/c/e/pidfd": 7})
    assert held == {"ns/c//": {"pidfd": 5, "stdout": 6}, "ns/c/e/": {"pidfd": 7}}
    server = Handover(((Path("/run/m.sock"), 8, (("k", "v"),)),), ((9, (), b"\x00\xff"),))
    left = Inheritance(held, ("ns/c//",), server, 10, 11, (1024, 4096), 2)
    assert sorted(left.descriptors) == [5, 6, 7, 8, 9, 10, 11]
    fd = inheritances.write(left)
    assert not os.get_inheritable(fd)
    assert inheritances.read(fd) == left
    with pytest.raises(OSError):
        os.fstat(fd)
    assert inheritances.read(inheritances.write(Inheritance())) == Inheritance()


def test_what_nobody_asks_for_is_closed() -> None:
    fds = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    left = Inheritance(inheritances.grouped(dict(zip(("ns/a//pidfd", "ns/b//pidfd", "ns/b//stdin"), fds, strict=True))))
    assert left.take("ns/a//") == {"pidfd": fds[0]}
    assert left.take("ns/a//") == left.take("ns/z//") == {}
    assert left.close_rest() == 2
    os.close(fds[0])
    for fd in fds:
        with pytest.raises(OSError):
            os.fstat(fd)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"files": [1]}', b'{"files": [1, 2], "listeners": 3}'])
def test_what_cannot_be_read(content: bytes) -> None:
    fd = os.memfd_create("test")
    os.write(fd, content)
    with pytest.raises(errors.DataLoss, match="inheritance: "):
        inheritances.read(fd)
