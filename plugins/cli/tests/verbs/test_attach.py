import json
from pathlib import Path
from typing import Any


def test_to_a_log(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sh", "-c", "sleep 1; echo late")
    assert cli("attach", "c").out == "late\n"


def test_to_open_streams(command: Any) -> None:
    assert (
        command("run", "-d", "-i", "--name", "c", "busybox", "sh", "-c", "read x; echo got $x; exit 6").returncode == 0
    )
    folder = Path(json.loads(command("inspect", "c").stdout)[0]["task"]["stdout"]).parent
    assert folder.is_dir()
    done = command("attach", "c", input=b"it\n")
    assert not folder.exists()
    assert (done.returncode, done.stdout) == (6, b"got it\n")
    assert b"Exited (6)" in command("ps", "-a").stdout
    assert command("rm", "c").returncode == 0


def test_to_nothing(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    assert cli("attach", "c").code == 1
