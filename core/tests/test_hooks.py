import threading
from collections.abc import Mapping
from typing import Any

import pytest

from moorage_core.discovery import Candidate, LoadError
from moorage_core.hooks import Hooks
from moorage_sdk import hooks as specs

Spec = Mapping[str, Any]


class Adding:
    def __init__(self, key: str) -> None:
        self.key = key
        self.stopped = 0

    @specs.impl
    def adjust_container(self, spec: Spec, id: str) -> Spec:
        return {**spec, self.key: id}

    @specs.impl
    def daemon_stopping(self) -> None:
        self.stopped += 1


class Raising:
    @specs.impl(tryfirst=True)
    def adjust_container(self, spec: dict[str, Any]) -> Spec:
        spec["half"] = "done"
        raise ValueError("no")

    @specs.impl(tryfirst=True)
    def daemon_stopping(self) -> None:
        raise OSError("no")


class Silent:
    @specs.impl
    def adjust_container(self, spec: dict[str, Any]) -> None:
        spec["changed"] = "in place"


def adjust(hooks: Hooks) -> Any:
    return hooks.chain("adjust_container", "spec", {"namespace": "n", "id": "web", "spec": {"args": ["sh"]}})


def states(hooks: Hooks) -> Mapping[str, str]:
    return {status.uri: f"{status.state} {status.reason}".strip() for status in hooks.statuses()}


def test_each_sees_what_the_last_returned() -> None:
    hooks = Hooks()
    for uri, implementation in {"a": Adding("a"), "b": Adding("b"), "none": Silent()}.items():
        hooks.register(uri, implementation)
    assert adjust(hooks) == {"args": ["sh"], "a": "web", "b": "web"}


def test_one_that_raises_is_left_out_without_a_trace_in_the_result() -> None:
    hooks = Hooks()
    hooks.register("bad", Raising(), "acme")
    hooks.register("good", Adding("a"))
    assert adjust(hooks) == {"args": ["sh"], "a": "web"}
    assert states(hooks) == {"bad": "failed adjust_container: ValueError: no", "good": "ok"}
    assert hooks.statuses()[0].distribution == "acme"


def test_one_that_is_late_is_abandoned_and_not_called_again() -> None:
    release, calls = threading.Event(), []

    class Slow:
        @specs.impl
        def adjust_container(self, spec: Spec) -> Spec:
            calls.append(1)
            release.wait(30)
            return {}

    hooks = Hooks(limit=0.05)
    hooks.register("slow", Slow())
    hooks.register("good", Adding("a"))
    try:
        assert adjust(hooks) == {"args": ["sh"], "a": "web"}
        assert adjust(hooks) == {"args": ["sh"], "a": "web"}
    finally:
        release.set()
    assert len(calls) == 1
    assert states(hooks)["slow"] == "failed adjust_container: no answer within 0.05 s, not called again"


def test_everybody_is_told_even_behind_one_that_raises() -> None:
    hooks, heard = Hooks(), Adding("a")
    hooks.register("bad", Raising())
    hooks.register("good", heard)
    hooks.announce("daemon_stopping")
    assert heard.stopped == 1
    assert states(hooks)["bad"] == "failed daemon_stopping: OSError: no"


def candidate(name: str, load: Any) -> Candidate:
    return Candidate(f"io.moorage.hooks.v1.{name}", "hooks", name, "moorage-x", load)


def test_implementations_are_loaded_each_alone() -> None:
    def broken() -> object:
        raise LoadError("cannot load")

    class Wrong:
        @specs.impl
        def daemon_stopping(self, why: str) -> None: ...

    hooks = Hooks()
    hooks.add(
        [
            (candidate("broken", broken), ""),
            (candidate("wrong", Wrong), ""),
            (candidate("off", broken), "disabled by x"),
            (candidate("good", lambda: Adding("a")), ""),
            (candidate("good", lambda: Adding("a")), ""),
        ]
    )
    found = states(hooks)
    assert found["io.moorage.hooks.v1.broken"] == "failed cannot load"
    assert found["io.moorage.hooks.v1.off"] == "disabled disabled by x"
    assert found["io.moorage.hooks.v1.good"].startswith("failed not fit for pluggy")


@pytest.mark.parametrize("hook", ["plugins_ready", "daemon_ready"])
def test_nobody_listening_is_fine(hook: str) -> None:
    Hooks().announce(hook, statuses=(), addresses={})
