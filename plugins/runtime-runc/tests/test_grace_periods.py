from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from moorage_runtime_runc import cgroups, grace_periods
from moorage_runtime_runc.grace_periods import GracePeriods


def test_one_wait_at_a_time_and_another_once_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    go_on = threading.Event()

    def stay() -> None:
        begun.append(threading.current_thread().name)
        go_on.wait(10)

    async def scene() -> None:
        periods = GracePeriods()
        periods.begin()
        periods.begin()
        go_on.set()
        await periods.over()
        periods.begin()
        await periods.over()

    monkeypatch.setattr(grace_periods, "_stay", stay)
    asyncio.run(scene())
    assert len(begun) == 2
    assert threading.current_thread().name not in begun


def test_a_refusal_is_told_once_and_is_the_last_attempt(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[None] = []

    def stay() -> None:
        attempts.append(None)
        raise PermissionError(1, "Operation not permitted")

    async def scene() -> None:
        periods = GracePeriods()
        for _ in range(3):
            periods.begin()
            await periods.over()

    monkeypatch.setattr(grace_periods, "_stay", stay)
    with caplog.at_level(logging.INFO):
        asyncio.run(scene())
    assert len(attempts) == 1
    assert [record.message for record in caplog.records if "not permitted" in record.message] == [
        "runtimes wait for the kernel's grace periods by themselves: [Errno 1] Operation not permitted"
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="moves a process between cgroups: needs root")
def test_we_stay_where_we_are(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        periods = GracePeriods()
        periods.begin()
        await periods.over()

    before = cgroups.of(os.getpid())
    with caplog.at_level(logging.INFO):
        asyncio.run(scene())
    assert cgroups.of(os.getpid()) == before
    assert not caplog.records, "this host lets us move"
