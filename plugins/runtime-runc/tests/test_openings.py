"""What containers read and write, with everything that may be wrong with the other side."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import errors


class Reader(threading.Thread):
    """A client's end of a FIFO: opens it for reading after ``delay`` seconds and takes all there is."""

    def __init__(self, path: Path, delay: float = 0.0, pace: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.path, self.delay, self.pace = path, delay, pace
        self.data = bytearray()
        self.start()

    def run(self) -> None:
        time.sleep(self.delay)
        with open(self.path, "rb", buffering=0) as file:
            while chunk := file.read(1 << 20):
                self.data += chunk
                time.sleep(self.pace)

    async def all(self) -> bytes:
        async with asyncio.timeout(60):
            while self.is_alive():
                await asyncio.sleep(0.01)
        return bytes(self.data)


@pytest.fixture(params=["direct", "relay"])
def mode(request: pytest.FixtureRequest, node: Any) -> str:
    """Both ways of passing output on; the monitor is started again for the second."""
    if request.param == "relay":
        node.stop()
        node.arguments = ["--relay"]
        node.start()
    mode: str = request.param
    return mode


def test_output_and_errors(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out, err = node.fifo("out"), node.fifo("err")
        outs, errs = Reader(out), Reader(err)
        bundle = node.bundle("sh", "-c", "echo to-out; echo to-err >&2")
        deleted = await node.run(bundle, stdout=str(out), stderr=f"fifo://{err}")
        assert deleted.exit_status == 0
        assert (await outs.all()).startswith(b"to-out\n")
        assert await errs.all() == b"to-err\n"

    scenario(body)


def test_a_late_reader_loses_nothing(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out = node.fifo("out")
        reader = Reader(out, delay=0.7)
        started = time.monotonic()
        await node.run(node.bundle("echo", "first words"), stdout=str(out))
        assert time.monotonic() - started >= 0.5
        assert await reader.all() == b"first words\n"

    scenario(body)


def test_a_hundred_megabytes_arrive_intact(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out = node.fifo("out")
        reader = Reader(out)
        script = "dd if=/dev/zero bs=1048576 count=100 2>/dev/null | tr '\\000' 'x'; echo end"
        await node.run(node.bundle("sh", "-c", script), stdout=str(out))
        data = await reader.all()
        assert len(data) == 100 * (1 << 20) + 4
        assert data.endswith(b"xend\n") and data.count(b"x") == 100 << 20

    scenario(body)


def test_input_ends_with_close_io_and_not_before(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out, into = node.fifo("out"), node.fifo("in")
        reader = Reader(out)
        await node.create(node.bundle("cat"), stdout=str(out), stdin=str(into))
        await node.call("Start")
        for word in (b"one ", b"two "):  # a client that goes and one that comes again
            fd = os.open(into, os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, word)
            os.close(fd)
            await asyncio.sleep(0.2)
            assert await node.status() == "RUNNING"
        await node.call("CloseIO", stdin=True)
        assert (await node.call("Wait")).exit_status == 0
        assert await reader.all() == b"one two "
        await node.call("Delete")

    scenario(body)


def test_a_client_that_goes_away_does_not_kill_the_container(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out = node.fifo("out")
        fd = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        script = "while :; do echo tick; sleep 0.05; done"
        await node.create(node.bundle("sh", "-c", script), stdout=str(out))
        await node.call("Start")
        await asyncio.sleep(0.2)
        os.close(fd)
        await asyncio.sleep(0.3)
        assert await node.status() == "RUNNING"
        again = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        await asyncio.sleep(0.2)
        assert os.read(again, 10_000).startswith(b"tick\n")
        os.close(again)
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


@pytest.mark.full
def test_a_background_child_of_an_exec_keeps_nobody_waiting(scenario: Any) -> None:
    """ctr, for one, waits for the end of the FIFO after Delete."""

    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        reader = Reader(node.fifo("out"))
        await node.exec("e", "sh", "-c", "echo hello; sleep 1000 &", stdout=str(reader.path))
        await node.call("Wait", exec_id="e")
        started = time.monotonic()
        await node.call("Delete", exec_id="e")
        assert 5 < time.monotonic() - started < 15  # ten seconds for what may still come
        assert await reader.all() == b"hello\n"
        assert await node.status() == "RUNNING"
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


def test_what_the_runtime_complains_of_is_no_output_of_an_exec(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        out, err = Reader(node.fifo("out")), Reader(node.fifo("err"))
        with pytest.raises(errors.Error, match="executable file not found"):
            await node.exec("e", "nosuchcmd", stdout=str(out.path), stderr=str(err.path))
        assert await out.all() == await err.all() == b""
        await node.call("Kill", signal=signal.SIGKILL)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


def test_what_the_runtime_complains_of_when_it_cannot_create(scenario: Any, mode: str) -> None:
    """It has the FIFO that is for the process; only where we stand between the two, it can be kept from the client."""

    async def body(node: Any) -> None:
        out, err = Reader(node.fifo("out")), Reader(node.fifo("err"))
        with pytest.raises(errors.Error, match="executable file not found"):
            await node.create(node.bundle("nosuchcmd"), stdout=str(out.path), stderr=str(err.path))
        assert await out.all() == b""
        assert (b"not found" in await err.all()) == (mode == "direct")

    scenario(body)


def test_the_container_gets_blocking_ends_and_nothing_else(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out, into = node.fifo("out"), node.fifo("in")
        reader = Reader(out)
        script = "ls /proc/1/fd; grep flags /proc/1/fdinfo/0 /proc/1/fdinfo/1"
        await node.create(node.bundle("sh", "-c", script), stdout=str(out), stdin=str(into))
        await node.call("Start")
        await node.call("Wait")
        text = (await reader.all()).decode().split("\n")
        await node.call("Delete")
        assert set(text[:3]) <= {"0", "1", "2", "3"}
        flags = [int(line.split()[-1], 8) for line in text if "flags" in line]
        assert all(not flag & os.O_NONBLOCK for flag in flags)

    scenario(body)


def test_no_reader_comes_and_the_caller_gives_up(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out = node.fifo("out")
        bundle = node.bundle()
        creating = asyncio.create_task(node.create(bundle, stdout=str(out)))
        await asyncio.sleep(0.3)
        assert not creating.done()
        with pytest.raises(errors.AlreadyExists):
            await node.create(bundle)
        await (await node.client()).close()  # the caller dies, and its call with it
        with pytest.raises(errors.Unavailable):
            await creating
        async with asyncio.timeout(10):
            while (bundle / "moorage-task.json").exists():
                await asyncio.sleep(0.02)
        with pytest.raises(errors.NotFound):
            await node.status()
        assert (await node.run(node.bundle("true", name="d"), "d")).exit_status == 0

    scenario(body)


def test_missing_paths_and_schemes_are_refused(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        with pytest.raises(errors.NotFound, match="stdio"):
            await node.create(node.bundle(), stdout=str(node.folder / "none"))
        with pytest.raises(errors.InvalidArgument, match='unknown scheme "gopher"'):
            await node.create(node.bundle(name="d"), "d", stdout="gopher:///x")

    scenario(body)


def test_fifos_belong_to_whom_the_options_say(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        out = node.fifo("out")
        reader = Reader(out)
        options = runc_options.Options(binary_name=node.binary, root=node.runtime_root, io_uid=1234, io_gid=4321)
        # runc itself gives them to the user of the process, but leaves the group alone.
        bundle = node.bundle("echo", "x", user={"uid": 1234, "gid": 1})
        await node.run(bundle, stdout=str(out), options=typeurls.pack(options))
        assert (out.stat().st_uid, out.stat().st_gid) == (1234, 4321)
        assert await reader.all() == b"x\n"

    scenario(body)


def test_files_are_appended_to(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        path = node.folder / "logs" / "a file"
        bundle = node.bundle("sh", "-c", "echo out; echo err >&2")
        for _ in range(2):
            await node.run(bundle, stdout=f"file://{path.parent}/a%20file", stderr="file:///ignored")
        assert path.read_text() == "out\nerr\n" * 2
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
        state_io = await node.until_event("TaskCreate")
        assert state_io.io.stdout.startswith("file://")

    scenario(body)


LOGGER = """#!/bin/sh
echo "$CONTAINER_NAMESPACE/$CONTAINER_ID $*" > {folder}/logger.args
cat <&3 5>&- > {folder}/logger.out &
cat <&4 5>&- > {folder}/logger.err &
{ready}
exec 5>&-
wait
"""


@pytest.mark.parametrize(("scheme", "ready"), [("binary", ""), ("binary-v2", "echo r >&5")])
def test_log_programs(scenario: Any, mode: str, scheme: str, ready: str) -> None:
    async def body(node: Any) -> None:
        program = node.folder / "logger"
        program.write_text(LOGGER.format(folder=node.folder, ready=ready))
        program.chmod(0o755)
        bundle = node.bundle("sh", "-c", "echo out; echo err >&2")
        await node.run(bundle, stdout=f"{scheme}://{program}?key=value&other=x%20y")
        assert (node.folder / "logger.out").read_text() == "out\n"
        assert (node.folder / "logger.err").read_text() == "err\n"
        assert (node.folder / "logger.args").read_text() == "test/c key value other x y\n"

    scenario(body)


def test_a_log_program_and_a_terminal(scenario: Any) -> None:
    """What it says comes from the first pipe; the second has nobody who writes to it, and an end at once."""

    async def body(node: Any) -> None:
        program = node.folder / "logger"
        program.write_text(LOGGER.format(folder=node.folder, ready="echo r >&5"))
        program.chmod(0o755)
        bundle = node.bundle("sh", "-c", "echo out; echo err >&2", terminal=True)
        await node.run(bundle, stdout=f"binary-v2://{program}", terminal=True)
        assert (node.folder / "logger.out").read_bytes() == b"out\r\nerr\r\n"
        assert (node.folder / "logger.err").read_bytes() == b""

    scenario(body)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_program_that_is_killed(scenario: Any, terminal: bool) -> None:
    """Whoever writes into its pipe next gets EPIPE, as under containerd's shim; for a terminal that is us."""

    async def body(node: Any) -> None:
        program = node.folder / "logger"
        program.write_text(f"#!/bin/sh\necho $$ > {node.folder}/pid\nexec 5>&-\nexec cat <&3 > /dev/null")
        program.chmod(0o755)
        script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line; done; exit 7"
        bundle = node.bundle("sh", "-c", script, terminal=terminal)
        await node.create(bundle, stdout=f"binary://{program}", terminal=terminal)
        os.kill(int((node.folder / "pid").read_text()), signal.SIGKILL)
        await node.call("Start")
        assert (await node.call("Wait")).exit_status == 7
        await node.call("Delete")

    scenario(body)


def test_a_log_program_that_is_not_ready_or_not_there(scenario: Any) -> None:
    async def body(node: Any) -> None:
        with pytest.raises(errors.Error, match="without having been ready"):
            await node.create(node.bundle(), stdout="binary-v2:///bin/true")
        with pytest.raises(errors.Error, match=r'log program "/no/such": No such file'):
            await node.create(node.bundle(name="d"), "d", stdout="binary:///no/such")

    scenario(body)


def test_a_terminal(scenario: Any) -> None:
    async def body(node: Any) -> None:
        out, into = node.fifo("out"), node.fifo("in")
        reader = Reader(out)
        bundle = node.bundle("sh", "-c", "stty size; cat; stty size", terminal=True)
        await node.create(bundle, stdout=str(out), stdin=str(into), terminal=True)
        await node.call("ResizePty", width=132, height=43)
        await node.call("Start")
        fd = os.open(into, os.O_WRONLY | os.O_NONBLOCK)
        async with asyncio.timeout(20):
            while b"43 132" not in reader.data:
                await asyncio.sleep(0.02)
        os.write(fd, b"typed\n")
        async with asyncio.timeout(20):
            while reader.data.count(b"typed") < 2:  # the echo of the terminal and cat's own
                await asyncio.sleep(0.02)
        await node.call("ResizePty", width=80, height=24)
        os.write(fd, b"\x04")
        assert (await node.call("Wait")).exit_status == 0
        await node.call("Delete")
        os.close(fd)
        assert (await reader.all()).endswith(b"24 80\r\n")

    scenario(body)


def test_a_terminal_for_an_exec_and_the_hang_up_after_close_io(scenario: Any) -> None:
    async def body(node: Any) -> None:
        await node.create(node.bundle())
        await node.call("Start")
        out, into = node.fifo("out"), node.fifo("in")
        reader = Reader(out)
        await node.exec("e", "sh", "-c", "echo ready; cat", stdout=str(out), stdin=str(into), terminal=True)
        await node.call("ResizePty", exec_id="e", width=10, height=10)
        async with asyncio.timeout(20):
            while b"ready" not in reader.data:
                await asyncio.sleep(0.02)
        await node.call("CloseIO", exec_id="e", stdin=True)
        assert (await node.call("Wait", exec_id="e")).exit_status in (0, 129)
        await node.call("Delete", exec_id="e")
        await reader.all()
        with pytest.raises(errors.InvalidArgument):
            await node.exec("f", "cat", stdout="", terminal=True)
            await node.call("ResizePty", exec_id="f", width=1 << 17, height=1)
        await node.call("Kill", signal=9)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


def test_nothing_stays_open_after_delete(scenario: Any, mode: str) -> None:
    async def body(node: Any) -> None:
        def count() -> int:
            return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))

        await node.run(node.bundle("true", name="warm"), "warm")
        await asyncio.sleep(0.2)
        before = count()
        for number in range(3):
            out, into = node.fifo(f"out{number}"), node.fifo(f"in{number}")
            reader = Reader(out)
            id = f"c{number}"
            terminal = number == 2
            bundle = node.bundle("echo", "x", name=id, terminal=terminal)
            await node.run(bundle, id, stdout=str(out), stdin=str(into), terminal=terminal)
            await reader.all()
        program = node.folder / "logger"
        program.write_text("#!/bin/sh\nexec 5>&-; exec cat <&3")
        program.chmod(0o755)
        for number, scheme in enumerate(("cri-log", "file", "binary") * 2):
            id, terminal = f"l{number}", number > 2
            target = program if scheme == "binary" else node.folder / f"{id}.log"
            await node.run(
                node.bundle("echo", "x", name=id, terminal=terminal),
                id,
                stdout=f"{scheme}://{target}",
                terminal=terminal,
            )
        with pytest.raises(errors.Error, match="not found"):
            await node.create(node.bundle("nosuchcmd", name="f"), "f", stdout=f"cri-log://{node.folder}/f.log")
        await asyncio.sleep(0.2)
        assert count() == before

    scenario(body)
