"""The monitor gives way to another version of itself while everything goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runtime_options
from moorage_runtime_runc import shims, upgrades
from moorage_runtime_runc.inheritances import Inheritance
from moorage_sdk import errors

WRITE = """
trap 'echo "end $i"; exit 3' TERM
i=0
while :; do i=$((i+1)); echo "line $i"; [ $((i % 20)) != 0 ] || sleep 0.02; done
"""


async def info(node: Any) -> dict[str, Any]:
    client = await node.client()
    return dict(json.loads(await client.call(shims.MONITOR, "Info", b"")))


async def upgrade(node: Any) -> None:
    """As often as it takes: it is refused while the runtime has much to do."""
    client, before = await node.client(), (await info(node))["upgrades"]
    async with asyncio.timeout(30):
        while True:
            try:
                await client.call(shims.MONITOR, "Upgrade", b"")
                break
            except errors.Unavailable:
                continue
    assert (await info(node))["upgrades"] == before + 1
    assert not client.closed


def test_the_version_is_that_of_the_distribution() -> None:
    assert metadata.version("moorage-runtime-runc") == upgrades.VERSION


class Reader:
    """Takes everything that comes through a FIFO."""

    def __init__(self, path: Path) -> None:
        self.data = bytearray()
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            self.data += os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return

    def close(self) -> list[str]:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._read()
        os.close(self._fd)
        return self.data.decode().replace("\r", "").splitlines()


@pytest.mark.parametrize("count, times", [(4, 2), pytest.param(20, 10, marks=pytest.mark.full)])
def test_nothing_is_lost_and_nobody_notices(scenario: Any, count: int, times: int) -> None:
    async def body(node: Any) -> None:
        readers, waits, pids = {}, {}, {}
        for number in range(count):
            id, terminal = f"w{number}", number % 2 == 1
            readers[id] = Reader(node.fifo(id))
            bundle = node.bundle("sh", "-c", WRITE, name=id, terminal=terminal)
            pids[id] = await node.create(bundle, id, stdout=str(node.folder / id), terminal=terminal)
            waits[id] = asyncio.create_task(node.call("Wait", id))
            await node.call("Start", id)
        pid = (await info(node))["pid"]
        loading = asyncio.create_task(load(node))
        for _ in range(times):
            await upgrade(node)
        loading.cancel()
        codes = await asyncio.gather(loading)
        found = await info(node)
        assert (found["pid"], found["upgrades"]) == (node.process.pid, times) and pid == node.process.pid
        assert not any(task.done() for task in waits.values())  # asked once, before all of it
        for id in readers:
            assert (await node.call("State", id)).pid == pids[id]
            await node.call("Kill", id, signal=signal.SIGTERM)
            assert (await waits[id]).exit_status == 3
            await node.call("Delete", id)
            lines = readers[id].close()
            assert lines == [*(f"line {each}" for each in range(1, len(lines))), f"end {len(lines) - 1}"]
        await node.until_event("TaskDelete", container_id=f"w{count - 1}")
        exits = Counter(each.container_id for each in node.events if each.DESCRIPTOR.name == "TaskExit")
        assert set(exits.values()) == {1} and len(exits) == count + len(codes[0])
        assert node.numbers == sorted(node.numbers)

    scenario(body)


async def load(node: Any) -> list[int]:
    """Short lives one after another until cancelled; the codes that they ended with were right."""
    codes: list[int] = []
    while True:
        name = f"l{len(codes)}"
        living = asyncio.ensure_future(node.run(node.bundle("sh", "-c", f"exit {len(codes) % 100}", name=name), name))
        try:
            await asyncio.shield(living)
        except asyncio.CancelledError:
            codes.append((await living).exit_status)
            assert codes == [number % 100 for number in range(len(codes))]
            return codes
        codes.append(living.result().exit_status)


@pytest.mark.full
def test_while_the_runtime_is_busy_it_is_refused_and_nothing_is_held_up(scenario: Any) -> None:
    async def body(node: Any) -> None:
        # Start waits for a reader that does not come, which is no time to go.
        await node.create(node.bundle())
        await node.call("Start")
        starting = asyncio.create_task(node.exec("e", "true", stdout=str(node.fifo("nobody"))))
        await asyncio.sleep(0.3)
        client = await node.client()
        asked = asyncio.create_task(client.call(shims.MONITOR, "Upgrade", b""))
        await asyncio.sleep(0.1)
        held = asyncio.create_task(node.status())
        with pytest.raises(errors.Unavailable, match="commands of the runtime are under way"):
            await asked
        assert await held == "RUNNING"
        with Path(node.folder / "nobody").open("rb"):
            await starting
            await node.call("Wait", exec_id="e")
        await upgrade(node)
        await node.call("Kill", signal=signal.SIGKILL)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")

    scenario(body)


def test_a_successor_that_cannot_be_executed_leaves_everything_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    fd = os.open(os.devnull, os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        upgrades.execute(["--state", "/s"], Inheritance({"ns/c//": {"stdout": fd}}))
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_monitor_whose_interpreter_is_gone_goes_on(scenario: Any) -> None:
    async def body(node: Any) -> None:
        node.stop()
        node.program = ["-c", LOST]
        node.start()
        await node.create(node.bundle("sh", "-c", "exit 7"))
        await upgrade(node)
        assert "not replaced by a successor" in (node.folder / "monitor.log").read_text()
        await node.call("Start")
        assert (await node.call("Wait")).exit_status == 7
        await node.call("Delete")

    scenario(body)


def test_everything_is_imported_before_the_first_call(scenario: Any) -> None:
    """A package that is replaced under a running monitor must not be what it imports next."""

    async def body(node: Any) -> None:
        node.stop()
        node.program = ["-c", SPY]
        node.start()
        out = node.fifo("out")
        reader = Reader(out)
        await node.create(node.bundle("sleep", "1000"), stdout=str(out))
        await node.call("Start")
        for terminal in (False, True):
            await node.exec(f"e{terminal}", "true", stdout=str(out), terminal=terminal)
            await node.call("Wait", exec_id=f"e{terminal}")
            await node.call("Delete", exec_id=f"e{terminal}")
        log = node.folder / "log"
        toml = typeurls.pack(runtime_options.Options(config_body=f'Root = "{node.runtime_root}"'.encode()))
        await node.run(node.bundle("echo", "hi", name="f"), "f", stdout=f"file://{log}", options=toml)
        await node.run(node.bundle("echo", "hi", name="k"), "k", stdout=f"cri-log://{log}.k")
        for method in ("Pause", "Resume", "Pids", "Stats"):
            await node.call(method)
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        with pytest.raises(errors.Error):
            await node.call("Checkpoint", path=str(node.folder / "image"))
        await node.call("Delete")
        reader.close()
        assert node.stop() == 0
        assert "LATE []" in (node.folder / "monitor.log").read_text()

    scenario(body)


LOST = """
import sys
from moorage_runtime_runc import monitors
sys.executable = "/no/such/python"
sys.exit(monitors.main(sys.argv[1:]))
"""

SPY = """
import sys
sys.modules.setdefault("ssl", None)
from moorage_runtime_runc import monitors
wait = monitors.Monitor._until_useless
async def spy(self):
    before = set(sys.modules)
    await wait(self)
    print("LATE", sorted(set(sys.modules) - before), file=sys.stderr)
monitors.Monitor._until_useless = spy
sys.exit(monitors.main(sys.argv[1:]))
"""


def test_arguments_of_a_successor() -> None:
    words = ["--state", "/s", "--inherit", "5", "--relay"]
    assert upgrades._without_inheritance(words) == ["--state", "/s", "--relay"]
