"""The register of deprecations, and what is looked at."""

import threading
from pathlib import Path

import pytest

from moorage_api.messages import tasks
from moorage_sdk.deprecations import PREFIX
from moorage_services.deprecations import (
    CGROUP_V1,
    MESSAGES,
    TASK_API_ADDRESS,
    TASK_API_VERSION,
    Register,
    look_at_host,
    look_at_task,
)


def ids(register: Register) -> list[str]:
    return [each.id.removeprefix(PREFIX) for each in register.met()]


def test_the_last_time_counts_and_the_first_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    register = Register()
    register.warn("b", "old words")
    (before,) = register.met()
    register.warn("b", "new words")
    register.warn("a", "others")
    first, second = register.met()
    assert (first.id, second.id) == ("io.containerd.deprecation/a", "io.containerd.deprecation/b")
    assert second.message == "new words"
    assert second.last_at >= before.last_at > 0
    assert "old words" in caplog.text
    assert "new words" not in caplog.text


def test_threads_lose_none() -> None:
    register = Register()
    threads = [threading.Thread(target=register.warn, args=(f"{number:02}", "")) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(register) == [f"{number:02}" for number in range(50)]


@pytest.mark.parametrize(("files", "expected"), [(("cgroup.controllers",), []), (("unified",), [CGROUP_V1])])
def test_a_host_with_cgroup_v1(tmp_path: Path, files: tuple[str, ...], expected: list[str]) -> None:
    for name in files:
        (tmp_path / name).touch()
    register = Register()
    look_at_host(register, tmp_path)
    assert ids(register) == expected


def test_what_the_request_itself_says_is_not_deprecated() -> None:
    register = Register()
    look_at_task(register, tasks.CreateTaskRequest(), "", 0)
    look_at_task(register, tasks.CreateTaskRequest(task_api_address="/a", task_api_version=3), "/a", 3)
    assert ids(register) == []
    look_at_task(register, tasks.CreateTaskRequest(task_api_address="/a"), "/a", 3)
    assert ids(register) == [TASK_API_VERSION]
    look_at_task(register, tasks.CreateTaskRequest(), "/a", 0)
    assert ids(register) == [TASK_API_ADDRESS, TASK_API_VERSION]
    assert {each.message for each in register.met()} < set(MESSAGES.values())
