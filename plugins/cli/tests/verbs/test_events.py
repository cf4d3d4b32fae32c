import json
import signal
import subprocess
import sys
from typing import Any

import pytest


@pytest.mark.parametrize("format", ["table", "json"])
def test_watching(cli: Any, daemon: Any, namespace: str, format: str) -> None:
    command = [sys.executable, "-m", "moorage_cli", "-a", daemon.address, "-n", namespace, "events", "--format", format]
    filters = ["-f", "topic~=^/tasks/exit,event.container_id==c", "-f", 'topic=="/containers/create"']
    with subprocess.Popen([*command, *filters], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # The subscription has no receipt, so make events until one arrives.
        lines: list[str] = []
        for _ in range(20):
            cli("run", "--name", "c", "--rm", "busybox", "sh", "-c", "exit 4")
            if _readable(process.stdout):
                break
        while not any("/tasks/exit" in line for line in lines):
            assert process.poll() is None
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    exit_line = next(line for line in lines if "/tasks/exit" in line)
    if format == "json":
        event = json.loads(exit_line)
        assert (event["namespace"], event["event"]["exit_status"]) == (namespace, 4)
    else:
        assert '"exit_status": 4' in exit_line
    assert not any("/snapshot/" in line for line in lines)


def _readable(stream: Any) -> bool:
    import select

    return bool(select.select([stream], [], [], 0.2)[0])


def test_a_filter_that_is_none(cli: Any) -> None:
    result = cli("events", "-f", "topic==")
    assert result.code == 1
    assert result.err.startswith("moorage: ")
