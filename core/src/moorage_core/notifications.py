"""sd_notify(3): readiness, stopping and the watchdog of systemd. Without systemd nothing happens."""

from __future__ import annotations

import os
import socket

ADDRESS = "NOTIFY_SOCKET"


def send(state: str) -> bool:
    """Tell systemd ``state`` (``READY=1``); False when nobody wants to know. Raises OSError when it cannot be told."""
    address = os.environ.get(ADDRESS, "")
    if not address.startswith(("/", "@")):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
    return True


def watchdog() -> float | None:
    """Seconds between two signs of life: half of what systemd allows. None when it does not watch this process."""
    allowed, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not allowed.isascii() or not allowed.isdigit() or pid not in ("", str(os.getpid())):
        return None
    return int(allowed) / 2e6 or None
