"""What the verbs say of containers with a policy; that it is done is said by the tests of the daemon."""

import json
from typing import Any

import pytest

from moorage_cli import restarts

PREFIX = "containerd.io/restart."


def labels(cli: Any) -> dict[str, str]:
    found = json.loads(cli("inspect", "c").out)[0]["labels"]
    return {key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)}


def test_only_what_was_started_is_looked_after(cli: Any) -> None:
    cli("create", "--name", "c", "--restart", "on-failure:3", "busybox", "sleep", "1000")
    assert labels(cli) == {"policy": "on-failure:3"}
    assert cli("start", "c").code == 0
    started = labels(cli)
    log = started.pop("loguri")
    assert log.startswith("file:///")
    assert started == {"policy": "on-failure:3", "status": "running", "count": "0", "explicitly-stopped": "false"}
    assert json.loads(cli("inspect", "c").out)[0]["labels"]["moorage/log"] == log.removeprefix("file://")


@pytest.mark.parametrize("words", [("kill", "c"), ("kill", "-s", "TERM", "c"), ("stop", "-t", "0", "c")])
def test_who_is_ended_by_hand_is_left_alone(cli: Any, words: tuple[str, ...]) -> None:
    cli("run", "-d", "--name", "c", "--restart", "always", "busybox", "sleep", "1000")
    assert cli(*words).code == 0
    ended = labels(cli)
    assert ("status" in ended, ended["explicitly-stopped"]) == (False, "true")


def test_other_signals_change_nothing(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "--restart", "always", "busybox", "sleep", "1000")
    assert cli("kill", "-s", "HUP", "c").code == 0
    assert labels(cli)["status"] == "running"


def test_without_a_policy_nothing_is_said(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    cli("stop", "-t", "0", "c")
    assert labels(cli) == {}


def test_in_the_foreground_the_task_is_left_to_the_daemon(cli: Any) -> None:
    assert cli("run", "--name", "c", "--restart", "on-failure:3", "busybox", "sh", "-c", "echo said; exit 3").code == 3
    assert labels(cli)["loguri"].startswith("file:///")
    assert "Exited (3)" in cli("ps", "-a").out


def test_what_cannot_be_started_is_not_tried_again(cli: Any) -> None:
    cli("create", "--name", "c", "--restart", "always", "busybox", "nonsense")
    assert cli("start", "c").code == 127
    assert cli("start", "-a", "c").code == 127
    assert "status" not in labels(cli)


def test_removed_and_restarted_it_cannot_be(cli: Any) -> None:
    refused = cli("run", "--rm", "--restart", "always", "busybox", "true")
    assert refused.code == 125
    assert "--rm with --restart" in refused.err


def test_names_are_containerds() -> None:
    named = (restarts.POLICY, restarts.STATUS, restarts.COUNT, restarts.LOG_URI, restarts.BY_HAND)
    assert [name.removeprefix(PREFIX) for name in named] == [
        "policy",
        "status",
        "count",
        "loguri",
        "explicitly-stopped",
    ]
