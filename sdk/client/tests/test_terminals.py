import os
import pty
import struct
import termios
from fcntl import ioctl

import pytest

from moorage_client import terminals


def test_raw_mode_and_back() -> None:
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    with pytest.raises(KeyError), terminals.raw(slave):
        assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        raise KeyError
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_size() -> None:
    master, slave = pty.openpty()
    assert terminals.size(slave) is None
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    assert terminals.size(slave) == (77, 33)
    os.close(master)
    os.close(slave)
    read, write = os.pipe()
    assert terminals.size(read) is None
    os.close(read)
    os.close(write)
