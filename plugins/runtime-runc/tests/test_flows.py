from __future__ import annotations

import asyncio
import os
import pty
import tty
from pathlib import Path

import pytest

from moorage_runtime_runc import log_files, spools
from moorage_runtime_runc.entries import Raw
from moorage_runtime_runc.flows import Flows
from moorage_sdk import errors


class Ends(dict[str, int]):
    """Descriptors by their roles, which go when they have done their work."""

    def release(self, *roles: str) -> None:
        for role in roles:
            if role in self:
                os.close(self.pop(role))

    def pipe(self, read: str, write: str) -> None:
        ends = os.pipe2(os.O_CLOEXEC)
        self.update(zip((read, write), ends, strict=True))

    def flows(self, *, terminal: bool = False) -> Flows:
        return Flows(self, Raw(), self.release, terminal=terminal)


async def settled(flows: Flows) -> None:
    await asyncio.wait_for(flows.drain(), 20)


def test_each_way_ends_by_itself() -> None:
    async def main() -> None:
        ends = Ends()
        for name in ("stdout", "stderr"):
            ends.pipe(f"pipe-{name}", f"process-{name}")
            ends.pipe(f"client-{name}", f"sink-{name}")
        ends.pipe("source-stdin", "client-stdin")
        ends.pipe("process-stdin", "pipe-stdin")
        flows = ends.flows()
        for name in ("stdout", "stderr"):
            os.write(ends[f"process-{name}"], name.encode())
            ends.release(f"process-{name}")
            assert await asyncio.to_thread(os.read, ends[f"client-{name}"], 99) == name.encode()
            assert await asyncio.to_thread(os.read, ends[f"client-{name}"], 99) == b""
        await settled(flows)
        os.write(ends["client-stdin"], b"input")
        ends.release("client-stdin")
        assert await asyncio.to_thread(os.read, ends["process-stdin"], 99) == b"input"
        assert await asyncio.to_thread(os.read, ends["process-stdin"], 99) == b""
        assert set(ends) == {"client-stdout", "client-stderr", "process-stdin"}
        ends.release(*ends)

    asyncio.run(main())


@pytest.mark.parametrize("held", [True, False])
def test_a_terminal_whose_input_ends_is_hung_up_unless_it_may_go_on(held: bool) -> None:
    async def main() -> None:
        ends = Ends()
        ends["master"], ends["slave"] = pty.openpty()
        tty.setraw(ends["slave"])
        ends.pipe("source-stdin", "client-stdin")
        if held:
            ends["stdin"] = os.dup(ends["client-stdin"])
        flows = ends.flows(terminal=True)
        os.write(ends["client-stdin"], b"typed")
        ends.release("client-stdin")
        assert await asyncio.to_thread(os.read, ends["slave"], 99) == b"typed"
        if held:
            await asyncio.sleep(0.2)
            assert "master" in ends
            flows.stop()
        else:
            await settled(flows)
            assert set(ends) == {"slave"}
        ends.release(*ends)

    asyncio.run(main())


def test_a_terminal_that_is_logged(tmp_path: Path) -> None:
    async def main() -> None:
        ends = Ends(log=log_files.open_log(tmp_path / "log"))
        ends["spool-stdout"] = spools.create()
        ends["master"], slave = pty.openpty()
        ends.pipe("pipe-stdout", "sink-stdout")
        flows = ends.flows(terminal=True)
        os.write(slave, b"line\n")
        os.close(slave)
        await settled(flows)
        assert (tmp_path / "log").read_bytes() == b"line\r\n"
        assert set(ends) == {"log"}
        with pytest.raises(errors.FailedPrecondition, match="is not written"):
            flows.reopen_log(tmp_path / "log")
        ends.release(*ends)

    asyncio.run(main())
