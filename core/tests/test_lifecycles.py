import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from moorage_core.lifecycles import Kernel, Stopped
from moorage_sdk import errors
from moorage_sdk.slots import InitContext, Plugin, Skip, Slot

Make = Callable[..., Kernel]
New = Callable[..., Plugin[Any, Any]]


def states(kernel: Kernel) -> Mapping[str, tuple[str, str]]:
    return {each.uri.removeprefix("io.example."): (each.state, each.reason) for each in kernel.statuses()}


def raising(error: BaseException) -> Callable[[InitContext, object], Any]:
    def make(ctx: InitContext, config: object) -> Any:
        raise error

    return make


def asking(slot: str) -> Callable[[InitContext, object], Any]:
    return lambda ctx, config: ctx.one(Slot[Any](slot, f"io.example.{slot}.v1"))


def test_what_is_required_is_made_first(kernel: Make, plugin: New) -> None:
    made: list[str] = []

    def noting(name: str) -> Callable[[InitContext, object], str]:
        return lambda ctx, config: made.append(name) or name  # type: ignore[func-returns-value]

    kernel(
        plugin("a/1", noting("a/1"), requires=("b",)),
        plugin("b/1", noting("b/1"), requires=("c",)),
        plugin("b/2", noting("b/2")),
        plugin("c/1", noting("c/1")),
    ).make()
    assert made == ["c/1", "b/1", "b/2", "a/1"]


def test_states_and_reasons_of_each_kind(kernel: Make, plugin: New) -> None:
    house = kernel(
        plugin("a/ok"),
        plugin("a/skip", raising(Skip("no overlay"))),
        plugin("a/error", raising(errors.Unavailable("disk full"))),
        plugin("a/refused", raising(PermissionError(13, "Permission denied", "/root/x"))),
        plugin("a/bug", raising(ZeroDivisionError("by zero"))),
        plugin("a/exit", raising(SystemExit(3))),
    )
    house.make()
    assert states(house) == {
        "a.v1.ok": ("ok", ""),
        "a.v1.skip": ("skip", "no overlay"),
        "a.v1.error": ("failed", "disk full"),
        "a.v1.refused": ("failed", '"/root/x": Permission denied'),
        "a.v1.bug": ("failed", "ZeroDivisionError: by zero"),
        "a.v1.exit": ("failed", "SystemExit: 3"),
    }


def test_a_person_may_interrupt(kernel: Make, plugin: New) -> None:
    with pytest.raises(KeyboardInterrupt):
        kernel(plugin("a/1", raising(KeyboardInterrupt()))).make()


def test_reasons_chain_down_to_the_first_cause(kernel: Make, plugin: New) -> None:
    house = kernel(
        plugin("a/1", asking("b"), requires=("b",)),
        plugin("b/1", asking("c"), requires=("c",)),
        plugin("c/1", raising(OSError(28, "No space left on device"))),
    )
    house.make()
    assert states(house)["a.v1.1"] == (
        "failed",
        'slot "b": no working plugin (plugin "io.example.b.v1.1": failed: slot "c": no working plugin '
        '(plugin "io.example.c.v1.1": failed: OSError: [Errno 28] No space left on device))',
    )


def test_one_broken_instance_takes_nobody_down_who_can_do_without(kernel: Make, plugin: New) -> None:
    def every(ctx: InitContext, config: object) -> Any:
        return list(ctx.all(Slot[Any]("b", "io.example.b.v1")))

    house = kernel(plugin("a/1", every, requires=("b",)), plugin("b/bad", raising(OSError())), plugin("b/good"))
    house.make()
    assert house.records("a")[0].instance == ["good"]


def test_cycles_fail_by_name_and_the_rest_lives(kernel: Make, plugin: New) -> None:
    house = kernel(
        plugin("a/1", requires=("b",)),
        plugin("b/1", requires=("a",)),
        plugin("c/1", asking("a"), requires=("a",)),
        plugin("d/1"),
        plugin("e/1", requires=("e",)),
    )
    house.make()
    found = states(house)
    assert found["a.v1.1"] == (
        "failed",
        "requires itself: io.example.a.v1.1 -> io.example.b.v1.1 -> io.example.a.v1.1",
    )
    assert found["b.v1.1"][0] == found["c.v1.1"][0] == found["e.v1.1"][0] == "failed"
    assert "requires itself" in found["c.v1.1"][1]
    assert found["d.v1.1"] == ("ok", "")


@pytest.mark.parametrize("error", [errors.Unavailable("disk full"), Skip("disk full")])
def test_a_required_plugin_that_is_not_ok_stops_everything(kernel: Make, plugin: New, error: Exception) -> None:
    house = kernel(plugin("a/1", raising(error)), plugin("b/1"), required_plugins=("io.example.a.v1.1",))
    with pytest.raises(errors.FailedPrecondition) as caught:
        house.make()
    assert 'required plugin "io.example.a.v1.1": ' in str(caught.value)
    assert "disk full" in str(caught.value)


def test_a_required_plugin_on_a_cycle_or_that_did_not_import_stops_everything(kernel: Make, plugin: New) -> None:
    with pytest.raises(errors.FailedPrecondition, match="requires itself"):
        kernel(plugin("a/1", requires=("a",)), required_plugins=("io.example.a.v1.1",)).make()
    house = kernel(plugin("a/1"), required_plugins=("io.example.a.v1.1",))
    house.records("a")[0].fail("cannot load")
    with pytest.raises(errors.FailedPrecondition, match="cannot load"):
        house.make()


def test_closing_runs_backwards_and_past_those_that_raise(kernel: Make, plugin: New) -> None:
    closed: list[str] = []

    def closing(name: str) -> Callable[[InitContext, object], str]:
        def make(ctx: InitContext, config: object) -> str:
            ctx.on_close(lambda: closed.append(f"{name} first"))
            ctx.on_close(lambda: 1 // 0)  # type: ignore[arg-type,return-value]
            ctx.on_close(lambda: closed.append(f"{name} last"))
            return name

        return make

    house = kernel(plugin("a/1", closing("a"), requires=("b",)), plugin("b/1", closing("b")))
    house.make()
    house.close()
    assert closed == ["a last", "a first", "b last", "b first"]
    house.close()
    assert len(closed) == 4
    assert states(house)["a.v1.1"] == ("skip", "closed")


def test_what_a_failing_plugin_opened_is_closed_at_once(kernel: Make, plugin: New) -> None:
    closed: list[str] = []

    def make(ctx: InitContext, config: object) -> str:
        ctx.on_close(lambda: closed.append("file"))
        raise OSError

    house = kernel(plugin("a/1", make))
    house.make()
    assert closed == ["file"]


def test_stopping_is_asked_between_plugins(kernel: Make, plugin: New) -> None:
    house = kernel(plugin("a/1"), plugin("a/2"))
    answers = iter([False, True])
    with pytest.raises(Stopped):
        house.make(lambda: next(answers))
    assert [each.state for each in house.statuses()] == ["ok", "skip"]


def test_effective_settings_have_the_defaults_under_them(kernel: Make) -> None:
    @dataclass(frozen=True)
    class Config:
        size: int = 3

    slot: Slot[str] = Slot("a", "io.example.a.v1")
    house = kernel(
        Plugin(slot, "1", lambda ctx, config: str(config.size), Config),
        config={"proxies": {"x": 1}},
        plugins={"io.far": {"b": 2}},
    )
    assert house.effective("io.example.a.v1.1") == {"size": 3}
    assert house.effective("io.far") == {"b": 2}
    assert house.effective("proxies") == {"x": 1}
    assert house.effective("nothing") == {}


def test_the_log_has_the_lines_that_others_look_for(
    kernel: Make, plugin: New, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    kernel(plugin("a/1"), plugin("a/2", raising(Skip("x"))), plugin("a/3", raising(OSError("y")))).make()
    messages = [(record.levelname, record.message, record.__dict__["id"]) for record in caplog.records]
    assert ("INFO", "loading plugin", "io.example.a.v1.1") in messages
    assert ("INFO", "skip loading plugin", "io.example.a.v1.2") in messages
    assert ("WARNING", "failed to load plugin", "io.example.a.v1.3") in messages
