from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from moorage_testkit import interleavings
from moorage_testkit.fakes.machines import Machine


class Commands:
    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder = machine, folder

    async def run(self, verb: str, *words: str) -> tuple[int, str]:
        """Exit code and the error message."""
        log = self.folder / "log"
        log.write_text("")
        pid = self.machine.spawn(["runc", "--root", "r", "--log", str(log), verb, *words], {})
        code = await self.machine.watch(pid).ended
        return code, json.loads(log.read_text())["msg"] if log.read_text() else ""

    async def pid(self, verb: str, *words: str) -> int:
        file = self.folder / "pid"
        assert await self.run(verb, "--pid-file", str(file), *words) == (0, "")
        return int(file.read_text())


@pytest.mark.parametrize("seed", range(5))
def test_a_life_with_an_exec(tmp_path: Path, seed: int) -> None:
    async def main() -> None:
        machine = Machine(seed, int)
        commands = Commands(machine, tmp_path)
        init = machine.watch(await commands.pid("create", "c"))
        assert (await commands.run("create", "c"))[1] == "container with given ID already exists"
        assert await commands.run("start", "c") == (0, "")
        assert (await commands.run("start", "c"))[1] == "cannot start an already running container"
        other = machine.watch(await commands.pid("exec", "c"))
        assert machine.pids("c") == [other.pid, init.pid]
        assert "not stopped" in (await commands.run("delete", "c"))[1]
        other.signal(15)
        assert await other.ended == 3
        with pytest.raises(ProcessLookupError):
            other.signal(9)
        last = machine.watch(await commands.pid("exec", "c"))
        assert await commands.run("kill", "c", "9") == (0, "")
        assert (await init.ended, await last.ended) == (137, 137)
        assert (await commands.run("exec", "--pid-file", "p", "c"))[1] == "cannot exec in a stopped container"
        assert machine.left() == ["c"]
        assert await commands.run("delete", "c") == (0, "")
        assert await commands.run("delete", "--force", "c") == (0, "")
        assert (await commands.run("kill", "c", "9"))[1] == "container does not exist"
        assert machine.left() == []

    interleavings.run(main, seed)


def test_the_frozen_die_when_they_are_thawed(tmp_path: Path) -> None:
    async def main() -> None:
        machine = Machine(0, int)
        commands = Commands(machine, tmp_path)
        init = machine.watch(await commands.pid("create", "c"))
        await commands.run("start", "c")
        await commands.run("pause", "c")
        await commands.run("kill", "c", "9")
        await asyncio.sleep(1)
        assert not init.ended.done()
        await commands.run("resume", "c")
        assert await init.ended == 137
        assert (await commands.run("resume", "c"))[1] == "container not paused"

    interleavings.run(main, 0)


def test_processes_may_end_by_themselves_and_commands_be_killed(tmp_path: Path) -> None:
    async def main(machine: Machine) -> Any:
        commands = Commands(machine, tmp_path)
        said = await commands.run("create", "--pid-file", str(tmp_path / "pid"), "c")
        if said[0] == 0:
            init = machine.watch(int((tmp_path / "pid").read_text()))
            if (await commands.run("start", "c"))[0] == 0:
                await init.ended
        while (await commands.run("delete", "--force", "c"))[0]:
            pass
        await asyncio.sleep(1)
        return said[0], machine.left()

    outcomes = []
    for seed in range(40):
        machine = Machine(seed, int, lives=0.1, mortal=0.1)
        outcomes.append(interleavings.run(lambda machine=machine: main(machine), seed))  # type: ignore[misc]
    assert {code for code, _ in outcomes} == {0, 137}
    assert all(left == [] for _, left in outcomes)
