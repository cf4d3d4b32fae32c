from typing import Any

TRAP = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.1; done"


def wait_for(cli: Any, text: str) -> None:
    assert cli("exec", "c", "sh", "-c", "while ! [ -e /tmp/ready ]; do sleep 0.05; done").code == 0, text


def test_asking_is_enough(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sh", "-c", TRAP.replace("echo ready", "touch /tmp/ready"))
    wait_for(cli, "ready")
    assert cli("stop", "-t", "20", "c").code == 0
    assert cli("wait", "c").out == "3\n"
    assert cli("logs", "c").out == "asked\n"


def test_who_does_not_listen_is_killed(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    assert cli("stop", "-t", "0.1", "c").code == 0
    assert cli("wait", "c").out == "137\n"


def test_another_signal(cli: Any) -> None:
    script = "trap 'exit 8' USR1; touch /tmp/ready; while :; do sleep 0.1; done"
    cli("run", "-d", "--name", "c", "busybox", "sh", "-c", script)
    wait_for(cli, "ready")
    assert cli("stop", "-s", "USR1", "c").code == 0
    assert cli("wait", "c").out == "8\n"


def test_what_does_not_run_is_stopped_already(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    assert cli("stop", "c").code == 0
    assert cli("stop", "nobody").code == 1
    assert cli("stop", "-s", "NOPE", "c").code == 0


def test_a_stopped_container_is_not_to_be_restarted(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "--restart", "always", "busybox", "sleep", "1000")
    assert '"containerd.io/restart.status": "running"' in cli("inspect", "c").out
    cli("stop", "-t", "0.1", "c")
    told = cli("inspect", "c").out
    assert '"containerd.io/restart.explicitly-stopped": "true"' in told
    assert "containerd.io/restart.status" not in told


def test_what_is_about_to_be_started_again_is_not(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "--restart", "always", "busybox", "true")
    assert cli("wait", "c").code == 0
    assert cli("stop", "c").code == 0
    assert "containerd.io/restart.status" not in cli("inspect", "c").out
