from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from moorage_testkit import resources
from moorage_testkit.daemons import Daemon, moorage
from moorage_testkit.resources import Balance


def test_ourselves() -> None:
    before = resources.usage(os.getpid())
    fds = [os.open("/", os.O_RDONLY) for _ in range(3)]
    try:
        assert resources.usage(os.getpid()).descriptors == before.descriptors + 3
    finally:
        for fd in fds:
            os.close(fd)
    assert before.threads >= 1 and before.memory > 1000


def test_what_is_not_given_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_SETTLE", 0.05)
    balance = Balance(os.getpid())
    balance.assert_even()
    fds = [os.open("/", os.O_RDONLY) for _ in range(resources.SPARE + 1)]
    try:
        with pytest.raises(AssertionError, match=rf"descriptors before and now, by pid: \{{{os.getpid()}: "):
            balance.assert_even()
    finally:
        for fd in fds:
            os.close(fd)
    assert set(balance.growth()) == {os.getpid()}


def test_a_daemon_without_a_monitor(tmp_path: Path) -> None:
    daemon = Daemon(moorage(), tmp_path)
    with subprocess.Popen(["sleep", "60"]) as daemon.process:
        with pytest.raises(AssertionError, match=r"monitors: \[\]"):
            resources.monitor(daemon)
        daemon.process.kill()
