from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import records, shims, supervisors, upgrades
from moorage_runtime_runc.supervisors import MonitorRuntime, Place
from moorage_sdk import errors
from moorage_sdk.tasks import Bundle
from moorage_ttrpc import blocking, sockets


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="moorage-supervisor-"))
    yield path
    shutil.rmtree(path)


def place(folder: Path) -> Place:
    return Place(folder / "state", str(folder / "d.sock"), str(folder / "d.sock.ttrpc"), ["--linger", "0.5"])


def bundle(path: Path) -> Bundle:
    return Bundle(str(path), "test", path.name)


def test_one_monitor_whoever_asks(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: a subreaper with a lower OOM score")

    async def main() -> None:
        first, second = MonitorRuntime(place(folder)), MonitorRuntime(place(folder))
        wanted = bundle(folder / "c")
        endpoints = await asyncio.gather(*(each.start(wanted) for each in (first, second, first, second)))
        assert len({endpoint.path for endpoint in endpoints}) == 1
        assert all(endpoint.shared and endpoint.version == 3 for endpoint in endpoints)
        assert sockets.alive(Path(endpoints[0].path))
        assert await first.find(wanted) is None
        record = Path(wanted.path, records.FILE)
        record.parent.mkdir(exist_ok=True)
        record.write_text("{}")
        # Whether it is known there is the caller's question, and one for each of hundreds is enough at a start.
        assert await first.find(wanted) == endpoints[0]
        started = [each._process for each in (first, second) if each._process is not None]
        # It leaves by itself: no daemon, no containers.
        for process in started:
            assert await asyncio.to_thread(process.wait, 20) in (0, supervisors.LOCKED)

    asyncio.run(main())


def test_a_monitor_of_ours_is_not_asked_again_and_a_dead_one_is_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: a subreaper with a lower OOM score")

    async def main() -> None:
        runtime, wanted = MonitorRuntime(place(folder)), bundle(folder / "c")
        path = Path((await runtime.start(wanted)).path)
        asked: list[bool] = []
        monkeypatch.setattr(MonitorRuntime, "_answers", lambda self: asked.append(True) or sockets.alive(path))
        await runtime.start(wanted)
        assert not asked
        first = runtime._process
        assert first is not None
        first.kill()
        await asyncio.to_thread(first.wait, 20)
        await runtime.start(wanted)
        assert asked and sockets.alive(path)
        assert runtime._process is not None and runtime._process.pid != first.pid
        runtime.close()
        assert await asyncio.to_thread(runtime._process.wait, 20) == 0

    asyncio.run(main())


def test_a_monitor_that_cannot_start_says_where_to_look(folder: Path) -> None:
    async def main() -> None:
        where = Place(folder / "state", "@nonsense", "x")
        with pytest.raises(errors.Unavailable, match=r"ended with status 2 .see .*monitor\.log"):
            await MonitorRuntime(where).start(bundle(folder / "c"))
        assert "not the path of a unix socket" in (folder / "state" / "monitor.log").read_text()

    asyncio.run(main())


def test_a_long_path_gets_a_short_name() -> None:
    short = Place(Path("/run/containerd/io.containerd.runtime.v1.runc"), "a", "b")
    assert short.socket.parent == short.state
    long = Place(Path("/" + "x" * 120), "a", "b")
    assert len(str(long.socket)) < sockets.MAX_PATH and long.socket != Place(Path("/" + "y" * 120), "a", "b").socket


def test_find_and_cleanup_after_the_monitor_died(scenario: Any) -> None:
    async def body(node: Any) -> None:
        runtime = MonitorRuntime(
            Place(node.folder / "state", str(node.address), f"{node.address}.ttrpc", ["--linger", "0.5"])
        )
        kept, gone = node.bundle(), node.bundle(name="d")
        pid = await node.create(kept)
        await node.create(gone, "d")
        await node.call("Start")
        client = await node.client()
        await asyncio.to_thread(node.stop, signal.SIGKILL)
        await client.close()
        found = await runtime.find(bundle(kept))
        assert found is not None and found.shared
        node.socket = Path(found.path)
        assert (await node.call("State")).pid == pid
        await runtime.cleanup(bundle(gone))
        with pytest.raises(errors.NotFound):
            await node.call("State", "d")
        await runtime.cleanup(bundle(gone))  # again, for one that nobody knows any more
        assert await runtime.find(bundle(gone)) is None
        await runtime.cleanup(bundle(kept))
        assert not Path(f"/proc/{pid}").exists()
        await node.until_event("TaskDelete", container_id="c")
        runtime.close()
        assert await asyncio.to_thread(runtime._process.wait, 20) == 0  # type: ignore[union-attr]

    scenario(body)


async def info(path: Path) -> dict[str, Any]:
    """What a monitor says of itself."""
    return dict(json.loads(await asyncio.to_thread(blocking.call, path, shims.MONITOR, "Info", b"")))


def test_a_monitor_of_another_version_is_asked_to_give_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: a subreaper with a lower OOM score")

    async def main() -> None:
        caplog.set_level("INFO")
        earlier = MonitorRuntime(Place(folder / "state", str(folder / "d.sock"), "x", ["--linger", "20"]))
        path = Path((await earlier.start(bundle(folder / "c"))).path)
        assert (await info(path))["upgrades"] == 0
        earlier.close()
        same = MonitorRuntime(earlier._place)
        await same.start(bundle(folder / "c"))
        await same._modernising  # type: ignore[misc]
        assert (await info(path))["upgrades"] == 0
        same.close()
        monkeypatch.setattr(upgrades, "VERSION", "9.9.9")
        later = MonitorRuntime(earlier._place)
        await later.start(bundle(folder / "c"))
        await later._modernising  # type: ignore[misc]
        assert "asked to become one of 9.9.9" in caplog.text
        said = await info(path)
        process = earlier._process
        assert process is not None and (said["pid"], said["upgrades"]) == (process.pid, 1)
        await later.start(bundle(folder / "c"))  # and the escrow finds the successor, too
        assert later._custody.connected and later._process is None
        later.close()
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0

    asyncio.run(main())


def test_one_that_dies_with_containers_is_replaced_at_once_and_its_successor_has_what_it_left(scenario: Any) -> None:
    async def body(node: Any) -> None:
        node.stop()
        where = Place(node.folder / "state", str(node.address), f"{node.address}.ttrpc", ["--linger", "0.5"])
        node.socket = where.socket
        runtime = MonitorRuntime(where)
        bundle_path = node.bundle("sh", "-c", "read x; echo got $x; exit 7", terminal=True)
        await runtime.start(bundle(bundle_path))
        out, read = node.fifo("out"), node.fifo("in")
        reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        await node.create(bundle_path, stdout=str(out), stdin=str(read), terminal=True)
        await node.call("Start")
        writer = os.open(read, os.O_WRONLY)
        process = runtime._process
        assert process is not None and {key.rpartition("/")[2] for key in runtime._custody.held} >= {"master", "pidfd"}
        process.kill()
        async with asyncio.timeout(20):  # nobody asks for anything
            while runtime._process is process or not runtime._custody.connected:
                await asyncio.sleep(0.01)
        os.write(writer, b"it\n")
        assert (await node.call("Wait")).exit_status == 7
        await node.call("Delete")
        assert not runtime._custody.held  # which is so before Delete returns
        assert b"got it" in os.read(reader, 100)
        for fd in (reader, writer):
            os.close(fd)
        runtime.close()
        assert await asyncio.to_thread(runtime._process.wait, 20) == 0  # type: ignore[union-attr]

    scenario(body)


def test_the_daemon_does_not_load_the_monitor() -> None:
    code = "import sys, moorage_runtime_runc.plugin; print(*(name for name in sys.modules if 'runtime_runc' in name))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    daemon = {"plugin", "placements", "supervisors", "custodies", "escrows", "inheritances", "upgrades", "spawns"}
    daemon |= {"orphans", "inspections", "shims", "advisories", "starts"}
    assert loaded == {"moorage_runtime_runc", *daemon}
