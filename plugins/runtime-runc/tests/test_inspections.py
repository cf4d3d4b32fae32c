from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from moorage_api.convert import payloads
from moorage_api.messages import runc_options
from moorage_runtime_runc import inspections
from moorage_runtime_runc.inspections import Inspector
from moorage_sdk import errors
from moorage_sdk.events import Payload


class Runtime:
    """A program that says a version and counts how often it is asked."""

    def __init__(self, folder: Path, version: str) -> None:
        self.path = folder / "runtime"
        self.asked = folder / "asked"
        self.becomes(version)

    def becomes(self, version: str) -> None:
        self.path.write_text(f"#!/bin/sh\necho >> {self.asked}\necho '{version}'\n")
        self.path.chmod(0o755)

    @property
    def times(self) -> int:
        return len(self.asked.read_text().splitlines()) if self.asked.exists() else 0

    @property
    def options(self) -> Payload:
        return payloads.of(runc_options.Options(binary_name=str(self.path)))


async def settled(inspector: Inspector) -> None:
    await asyncio.gather(*inspector._looking)


def test_sec_10_an_old_one_is_warned_of_once(tmp_path: Path) -> None:
    async def run() -> None:
        runtime, said = Runtime(tmp_path, "runc version 1.1.5+ds1"), []
        inspector = Inspector("warn", lambda id, message: said.append((id, message)))
        for _ in range(3):
            await inspector.inspect(runtime.options)
        await settled(inspector)
        ((id, message),) = said
        assert id == "old-runtime-runc" and runtime.times == 1
        assert "runc 1.1.5+ds1" in message and "CVE-2024-21626" in message and "its distribution may have" in message

    asyncio.run(run())


def test_the_warning_is_not_in_the_way_of_a_container(tmp_path: Path) -> None:
    async def run() -> None:
        runtime, gate, said = Runtime(tmp_path, ""), tmp_path / "gate", []
        os.mkfifo(gate)
        runtime.path.write_text(f"#!/bin/sh\nread line < {gate}\necho crun version 1.8.1\n")
        inspector = Inspector("warn", lambda id, message: said.append(id))
        await inspector.inspect(runtime.options)
        assert said == []
        await asyncio.to_thread(gate.write_text, "\n")
        await settled(inspector)
        assert said == ["old-runtime-crun"]

    asyncio.run(run())


def test_sec_10_an_old_one_is_refused_until_it_is_replaced(tmp_path: Path) -> None:
    async def run() -> None:
        runtime = Runtime(tmp_path, "runc version 1.3.5")
        inspector = Inspector("refuse", lambda *_: pytest.fail("no warning"))
        for _ in range(2):
            with pytest.raises(errors.FailedPrecondition, match=r"runc 1\.3\.5 lets containers out \(CVE-2026-41579\)"):
                await inspector.inspect(runtime.options)
        runtime.becomes("runc version 1.3.6")
        for _ in range(3):
            await inspector.inspect(runtime.options)
        assert runtime.times == 3

    asyncio.run(run())


@pytest.mark.parametrize("policy", ["warn", "refuse"])
@pytest.mark.parametrize("report", ["runc version 1.5.0", "crun version 1.21", "youki version 0.1", ""])
def test_new_ones_and_strangers_are_let_through(tmp_path: Path, policy: str, report: str) -> None:
    async def run() -> None:
        runtime = Runtime(tmp_path, report)
        inspector = Inspector(policy, lambda *_: pytest.fail("no warning"))
        for _ in range(2):
            await inspector.inspect(runtime.options)
            await settled(inspector)
        assert runtime.times == 1

    asyncio.run(run())


@pytest.mark.parametrize("policy", ["warn", "refuse"])
def test_one_that_is_not_there_is_looked_at_when_it_is(tmp_path: Path, policy: str) -> None:
    async def run() -> None:
        runtime = Runtime(tmp_path, "runc version 1.5.0")
        runtime.path.rename(tmp_path / "aside")
        inspector = Inspector(policy, lambda *_: pytest.fail("no warning"))
        await inspector.inspect(runtime.options)
        await settled(inspector)
        (tmp_path / "aside").rename(runtime.path)
        await inspector.inspect(runtime.options)
        await settled(inspector)
        assert runtime.times == 1

    asyncio.run(run())


def test_ignored_ones_are_not_asked(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, "runc version 1.0.0-rc6")
    asyncio.run(Inspector("ignore", lambda *_: pytest.fail("no warning")).inspect(runtime.options))
    assert runtime.times == 0


def test_without_options_it_is_runc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime(tmp_path, "runc version 1.3.5")
    runtime.path.rename(tmp_path / "runc")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(errors.FailedPrecondition, match='runtime "runc"'):
        asyncio.run(Inspector("refuse", lambda *_: None).inspect(None))


def test_one_that_never_answers_holds_nobody_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspections, "_PATIENCE", 0.2)
    runtime = Runtime(tmp_path, "")
    runtime.path.write_text("#!/bin/sh\nexec sleep 1000\n")
    asyncio.run(Inspector("refuse", lambda *_: None).inspect(runtime.options))
