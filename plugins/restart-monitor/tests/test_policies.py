"""The table is that of ``core/runtime/restart/restart_test.go``, with what its authors left to their libraries."""

import pytest

from moorage_restart_monitor import policies
from moorage_restart_monitor.policies import COUNT, EXPLICITLY_STOPPED, POLICY, STATUS, Policy, Verdict
from moorage_sdk import errors
from moorage_sdk.tasks import Process, Status


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", Policy("always")),
        ("no", Policy("no")),
        ("always", Policy("always")),
        ("unless-stopped", Policy("unless-stopped")),
        ("on-failure", Policy("on-failure")),
        ("on-failure:10", Policy("on-failure", 10)),
        ("on-failure:+3", Policy("on-failure", 3)),
        ("on-failure:3:4", Policy("on-failure", 3)),
    ],
)
def test_policies(text: str, policy: Policy) -> None:
    assert policies.parse(text) == policy


@pytest.mark.parametrize(
    "text",
    [
        "unknown",
        "always:3",
        "no:1",
        "unless-stopped:",
        "on-failure:",
        "on-failure:x",
        "on-failure: 3",
        "on-failure:1_0",
        "on-failure:٣",
        "on-failure:9223372036854775808",
        "Always",
    ],
)
def test_what_is_no_policy(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        policies.parse(text)


def process(status: Status, exit_status: int = 0) -> Process:
    return Process("c", "", 7, status, exit_status=exit_status)


RUNNING = {STATUS: "running"}


@pytest.mark.parametrize(
    ("labels", "exit_status", "restarts"),
    [
        ({POLICY: "always"}, 0, True),
        ({}, 0, True),
        ({POLICY: "no"}, 1, False),
        ({POLICY: "on-failure:10", COUNT: "1"}, 0, False),
        ({POLICY: "on-failure:10"}, 1, True),
        ({POLICY: "on-failure:10", COUNT: "1"}, 1, True),
        ({POLICY: "on-failure:3", COUNT: "3"}, 1, False),
        ({POLICY: "on-failure", COUNT: "1000"}, 1, True),
        ({POLICY: "on-failure:-1"}, 1, False),
        ({POLICY: "unless-stopped"}, 0, True),
        ({POLICY: "unless-stopped", EXPLICITLY_STOPPED: "true"}, 0, False),
        ({POLICY: "unless-stopped", EXPLICITLY_STOPPED: "1"}, 0, False),
        ({POLICY: "unless-stopped", EXPLICITLY_STOPPED: "false"}, 0, True),
        ({POLICY: "unless-stopped", EXPLICITLY_STOPPED: "yes"}, 0, True),
        ({POLICY: "always", EXPLICITLY_STOPPED: "true"}, 0, True),
    ],
)
def test_who_is_started_again(labels: dict[str, str], exit_status: int, restarts: bool) -> None:
    ended = process(Status.STOPPED, exit_status)
    assert policies.judge({**RUNNING, **labels}, ended) is (Verdict.START if restarts else Verdict.LEAVE)


def test_labels_that_make_no_sense_are_told_of() -> None:
    with pytest.raises(errors.InvalidArgument, match="restart policy"):
        policies.judge({**RUNNING, POLICY: "sometimes"}, None)
    with pytest.raises(errors.InvalidArgument, match='restart count "invalid"'):
        policies.judge({**RUNNING, POLICY: "on-failure:10", COUNT: "invalid"}, process(Status.STOPPED, 1))


@pytest.mark.parametrize(
    ("desired", "status", "verdict"),
    [
        ("running", None, Verdict.START),
        ("running", Status.UNKNOWN, Verdict.START),
        ("running", Status.CREATED, Verdict.START),
        ("running", Status.RUNNING, Verdict.LEAVE),
        ("running", Status.STOPPED, Verdict.START),
        ("running", Status.PAUSED, Verdict.LEAVE),
        ("running", Status.PAUSING, Verdict.LEAVE),
        ("stopped", None, Verdict.LEAVE),
        ("stopped", Status.UNKNOWN, Verdict.STOP),
        ("stopped", Status.CREATED, Verdict.STOP),
        ("stopped", Status.RUNNING, Verdict.STOP),
        ("stopped", Status.STOPPED, Verdict.LEAVE),
        ("stopped", Status.PAUSED, Verdict.STOP),
        ("paused", Status.RUNNING, Verdict.LEAVE),
        ("anything", None, Verdict.LEAVE),
    ],
)
def test_states(desired: str, status: Status | None, verdict: Verdict) -> None:
    assert policies.judge({STATUS: desired}, None if status is None else process(status)) is verdict


def test_a_task_that_is_missing_did_not_fail() -> None:
    assert policies.judge({**RUNNING, POLICY: "on-failure"}, None) is Verdict.LEAVE
    assert policies.judge({**RUNNING, POLICY: "unless-stopped"}, None) is Verdict.START


def test_without_the_label_nothing_is_asked_for() -> None:
    assert policies.judge({POLICY: "always"}, process(Status.STOPPED)) is Verdict.LEAVE


@pytest.mark.parametrize(("label", "count"), [("", 0), ("7", 7), ("x", 0), ("1e3", 0)])
def test_counts(label: str, count: int) -> None:
    assert policies.count({COUNT: label}) == count
