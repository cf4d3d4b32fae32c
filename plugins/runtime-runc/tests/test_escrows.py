from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_runtime_runc import escrows
from moorage_runtime_runc.escrows import Message
from moorage_sdk import errors


@pytest.fixture
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="moorage-escrow-") as folder:
        yield escrows.beside(Path(folder, "monitor.sock"))


def test_a_message_and_its_descriptors_arrive_together_after_the_sender_is_gone(path: Path) -> None:
    with escrows.listen(path) as listener, escrows.connect(path) as ours:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        theirs, _ = listener.accept()
        read, write = os.pipe2(os.O_CLOEXEC)
        escrows.send(theirs, Message(escrows.PUT, ("ns/c//stdout", "ns/c//pidfd")), [read, write])
        escrows.send(theirs, Message(escrows.DROP, ("ns/c//stdout",), 7))
        for each in (theirs.detach(), read, write):
            os.close(each)
        put = escrows.receive(ours)
        assert put is not None and put[0] == Message(escrows.PUT, ("ns/c//stdout", "ns/c//pidfd"))
        os.write(put[1][1], b"x")
        assert os.read(put[1][0], 1) == b"x"
        assert not any(os.get_inheritable(fd) for fd in put[1])
        for fd in put[1]:
            os.close(fd)
        assert escrows.receive(ours) == (Message(escrows.DROP, ("ns/c//stdout",), 7), [])
        assert escrows.receive(ours) is None


def test_nothing_to_read_and_nobody_there(path: Path) -> None:
    with pytest.raises(errors.Unavailable, match="No such file"):
        escrows.connect(path)
    with escrows.listen(path), escrows.connect(path) as ours, pytest.raises(BlockingIOError):
        escrows.receive(ours)
    with pytest.raises(errors.Unavailable, match="Connection refused"):
        escrows.connect(path)
    escrows.listen(path).close()  # what an earlier one left is no obstacle


@pytest.mark.parametrize("data", [b"{", b"[]", b'["put", 1, 2, 3]', b'["put", [], "x", 0]', b"\xff"])
def test_what_is_no_message(path: Path, data: bytes) -> None:
    with escrows.listen(path) as listener, escrows.connect(path) as ours:
        theirs, _ = listener.accept()
        with theirs:
            before = len(list(Path("/proc/self/fd").iterdir()))
            socket.send_fds(theirs, [data], [0])
            with pytest.raises(errors.DataLoss, match="escrow: message of"):
                escrows.receive(ours)
            assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_names_tell_init_and_execs_apart() -> None:
    assert escrows.name("ns", "c") != escrows.name("ns", "c", "c")
    assert not escrows.name("ns", "c", "e").startswith(escrows.name("ns", "c"))
