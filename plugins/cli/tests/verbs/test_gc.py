"""What is shown of a daemon's answers; that a real daemon gives them is tested where there is one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from moorage_cli import sessions
from moorage_cli.verbs import gc
from moorage_sdk import errors
from moorage_sdk.garbage import Explanation, Object, Plan, Removal, Step

LAYER = Object("content", "default", "sha256:abc")
PATHS = (
    (Step(Object("lease", "default", "l"), "root"), Step(LAYER, "held")),
    (Step(Object("image", "default", "web"), "root"), Step(LAYER, "target")),
)
REMOVALS = (
    Removal(LAYER),
    Removal(Object("blob", "", "sha256:abc"), 2048),
    Removal(Object("snapshot", "", "remote a/1/b"), None),
)


class Garbage:
    """A daemon's answers."""

    def __init__(self) -> None:
        self.asked: list[Object] = []
        self.paths = PATHS
        self.plans = Plan(REMOVALS)
        self.error: errors.Error | None = None

    async def why(self, wanted: Object) -> Explanation:
        self.asked.append(wanted)
        return Explanation(LAYER, self.paths)

    async def plan(self) -> Plan:
        if self.error:
            raise self.error
        return self.plans

    run = plan


@pytest.fixture
def garbage(monkeypatch: pytest.MonkeyPatch) -> Garbage:
    answers = Garbage()

    def run(work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            return await work(SimpleNamespace(garbage=answers))

        return asyncio.run(main())

    monkeypatch.setattr(sessions, "run", run)
    return answers


def said(*arguments: str) -> Result:
    return CliRunner().invoke(gc.command, arguments, catch_exceptions=False, standalone_mode=False)


def test_why_shows_the_nearest_root_and_tells_of_others(garbage: Garbage) -> None:
    assert said("why", "abc").output == (
        "lease default l (root)\n  content default sha256:abc (held)\nand 1 more, shown with --all\n"
    )
    assert "image default web (root)\n  content default sha256:abc (target)\n" in said("why", "-a", "abc").output
    assert "more" not in said("why", "--all", "abc").output


def test_why_of_garbage(garbage: Garbage) -> None:
    garbage.paths = ()
    expected = "content default sha256:abc: nothing keeps it, the next collection removes it\n"
    assert said("why", "content", "abc").output == expected


def test_why_as_json(garbage: Garbage) -> None:
    found = json.loads(said("why", "--format", "json", "abc").output)
    assert (found["kind"], found["namespace"], found["key"]) == ("content", "default", "sha256:abc")
    assert [[step["because"] for step in path] for path in found["paths"]] == [["root", "held"], ["root", "target"]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("abc",), Object("", "", "abc")),
        (("snapshot", "a b"), Object("snapshot", "", "a b")),
        (("snapshot", "ns", "overlayfs/a b"), Object("snapshot", "ns", "overlayfs/a b")),
        (("content default sha256:abc",), Object("content", "default", "sha256:abc")),
        (
            ("snapshot default overlayfs/extract-1 sha256:abc",),
            Object("snapshot", "default", "overlayfs/extract-1 sha256:abc"),
        ),
        (("image web",), Object("image", "", "web")),
        (("extract-1 sha256:abc",), Object("", "", "extract-1 sha256:abc")),
    ],
)
def test_objects_may_be_typed_as_they_are_printed(garbage: Garbage, words: tuple[str, ...], expected: Object) -> None:
    assert said("why", *words).return_value is None
    assert garbage.asked == [expected]


def test_too_many_words(garbage: Garbage) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"too many words.*quotes"):
        said("why", "a", "b", "c", "d")


def test_a_plan(garbage: Garbage) -> None:
    lines = said("plan").output.splitlines()
    assert [line.split() for line in lines[:-1]] == [
        ["KIND", "NAMESPACE", "OBJECT", "SIZE"],
        ["content", "default", "sha256:abc"],
        ["blob", "sha256:abc", "2.0", "KiB"],
        ["snapshot", "remote", "a/1/b", "?"],
    ]
    assert lines[-1] == "content 1, blob 1, snapshot 1: at least 2.0 KiB"
    garbage.plans = Plan(REMOVALS[:2])
    assert said("plan").output.splitlines()[-1] == "content 1, blob 1: 2.0 KiB"
    garbage.plans = Plan()
    assert said("plan").output == "nothing\n"


def test_a_plan_as_json(garbage: Garbage) -> None:
    found = [json.loads(line) for line in said("plan", "--format", "json").output.splitlines()]
    assert [each["size"] for each in found] == [0, 2048, None]
    assert found[1] == {"kind": "blob", "namespace": "", "key": "sha256:abc", "size": 2048}


def test_a_run_fails_if_a_removal_did(garbage: Garbage) -> None:
    result = said("run")
    assert (result.return_value, result.output) == (0, said("plan").output)
    garbage.plans = Plan(REMOVALS[:1], ("snapshot overlayfs a/1/b: busy",))
    result = said("run")
    assert result.return_value == 1
    assert "moorage: snapshot overlayfs a/1/b: busy" in result.output


def test_another_daemon_cannot_tell(garbage: Garbage) -> None:
    garbage.error = errors.Unimplemented("unknown service")
    with pytest.raises(errors.Unimplemented, match=r"does not explain it.*mooraged"):
        said("plan")
