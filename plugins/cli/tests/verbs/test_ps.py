import json
import re
from typing import Any


def test_states(cli: Any) -> None:
    cli("run", "-d", "--name", "up", "busybox", "sleep", "100")
    cli("run", "-d", "--name", "held", "busybox", "sleep", "100")
    cli("pause", "held")
    cli("run", "-d", "--name", "ended", "busybox", "sh", "-c", "exit 7")
    cli("wait", "ended")
    cli("create", "--name", "new", "busybox", "sh", "-c", "a very long command line that is cut")
    lines = {line.split()[0]: line for line in cli("ps", "-a").out.splitlines()}
    assert lines["up"].endswith("Up")
    assert lines["held"].endswith("Paused")
    assert "Exited (7)" in lines["ended"]
    assert lines["new"].endswith("Created")
    assert "…" in lines["new"]
    assert set(cli("ps", "-q").out.split()) == {"up", "held"}
    cli("unpause", "held")


def test_json(cli: Any) -> None:
    cli("run", "-d", "--name", "up", "-l", "a=b", "busybox", "sleep", "100")
    found = json.loads(cli("ps", "--format", "json").out)
    assert (found["id"], found["status"], found["command"], found["labels"]["a"]) == (
        "up",
        "running",
        ["sleep", "100"],
        "b",
    )
    assert found["pid"] > 0
    assert found["exit_status"] is None


def test_what_ended_in_the_foreground_is_shown_like_what_ended_behind_it(cli: Any) -> None:
    cli("run", "--name", "front", "busybox", "sh", "-c", "exit 3")
    cli("create", "--name", "new", "busybox", "true")
    cli("create", "--name", "odd", "-l", "moorage/exit=no number", "busybox", "true")
    lines = {line.split()[0]: line for line in cli("ps", "-a").out.splitlines()}
    assert re.search(r"Exited \(3\) \d+ seconds? ago$", lines["front"])
    assert lines["odd"].endswith("Created")
    found = {each["id"]: each for each in map(json.loads, cli("ps", "-a", "--format", "json").out.splitlines())}
    assert [(found[id]["status"], found[id]["exit_status"]) for id in ("front", "new", "odd")] == [
        ("stopped", 3),
        ("created", None),
        ("created", None),
    ]
