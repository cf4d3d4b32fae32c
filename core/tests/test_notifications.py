import os
import socket
from pathlib import Path

import pytest

from moorage_core import notifications


def test_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert notifications.send("READY=1") is False


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, abstract: bool) -> None:
    name = f"@moorage-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name[1:] if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        assert notifications.send("READY=1") is True
        assert listener.recv(100) == b"READY=1"


def test_a_listener_that_is_gone_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    with pytest.raises(OSError, match="No such file"):
        notifications.send("READY=1")


@pytest.mark.parametrize(
    ("allowed", "pid", "interval"),
    [
        ("", "", None),
        ("10000000", "", 5.0),
        ("10000000", str(os.getpid()), 5.0),
        ("10000000", "1", None),
        ("0", "", None),
        ("soon", "", None),
        ("-5", "", None),
        ("\u0661", "", None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often(
    monkeypatch: pytest.MonkeyPatch, allowed: str, pid: str, interval: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", allowed)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert notifications.watchdog() == interval
