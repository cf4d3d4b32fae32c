import stat
from collections.abc import Callable
from typing import Any

import pytest

from moorage_core.contexts import Context
from moorage_core.lifecycles import Kernel
from moorage_sdk import errors
from moorage_sdk.hooks import Chains
from moorage_sdk.slots import InitContext, Skip, Slot

BETA: Slot[str] = Slot("beta", "io.example.beta.v1")
GAMMA: Slot[str] = Slot("gamma", "io.example.gamma.v1")


def fail(ctx: InitContext, config: object) -> str:
    raise errors.Unavailable("the disk is gone")


def skip(ctx: InitContext, config: object) -> str:
    raise Skip("not on this host")


@pytest.fixture
def context(kernel: Callable[..., Kernel], plugin: Callable[..., Any]) -> Callable[..., Context]:
    """The context of a plugin that requires beta, among others in that slot."""

    def make(*others: Any, **top: Any) -> Context:
        seen: list[Context] = []

        def keep(ctx: Context, config: object) -> str:
            seen.append(ctx)
            return "alpha"

        kernel(plugin("alpha/one", keep, requires=("beta",)), *others, **top).make()
        return seen[0]

    return make


def test_one_is_the_only_working_plugin(context: Callable[..., Context], plugin: Callable[..., Any]) -> None:
    assert context(plugin("beta/a"), plugin("beta/b", fail)).one(BETA) == "beta/a"


def test_one_of_two_is_an_error_with_a_next_step(context: Callable[..., Context], plugin: Callable[..., Any]) -> None:
    with pytest.raises(errors.FailedPrecondition) as caught:
        context(plugin("beta/a"), plugin("beta/b")).one(BETA)
    assert str(caught.value) == (
        'slot "beta": filled more than once, by "io.example.beta.v1.a" and "io.example.beta.v1.b" '
        "(disable all but one in disabled_plugins)"
    )


def test_one_of_none_says_why_each_is_missing(context: Callable[..., Context], plugin: Callable[..., Any]) -> None:
    with pytest.raises(errors.FailedPrecondition) as caught:
        context(plugin("beta/a", fail), plugin("beta/b", skip)).one(BETA)
    assert str(caught.value) == (
        'slot "beta": no working plugin (plugin "io.example.beta.v1.a": failed: the disk is gone; '
        'plugin "io.example.beta.v1.b": skip: not on this host)'
    )
    with pytest.raises(errors.FailedPrecondition, match="none is installed"):
        context().one(BETA)


def test_get_is_by_id_and_says_why_not(context: Callable[..., Context], plugin: Callable[..., Any]) -> None:
    ctx = context(plugin("beta/a"), plugin("beta/b", fail))
    assert ctx.get(BETA, "a") == "beta/a"
    with pytest.raises(errors.NotFound, match="failed: the disk is gone"):
        ctx.get(BETA, "b")
    with pytest.raises(errors.NotFound, match=r'plugin "io\.example\.beta\.v1\.c": not installed'):
        ctx.get(BETA, "c")


def test_all_leaves_out_what_does_not_work(context: Callable[..., Context], plugin: Callable[..., Any]) -> None:
    ctx = context(plugin("beta/a"), plugin("beta/b", fail), plugin("beta/c"))
    assert dict(ctx.all(BETA)) == {"a": "beta/a", "c": "beta/c"}
    assert dict(context().all(BETA)) == {}


def test_only_slots_that_are_required_may_be_asked_for(context: Callable[..., Context]) -> None:
    ctx = context()
    for ask in (lambda: ctx.one(GAMMA), lambda: ctx.get(GAMMA, "x"), lambda: ctx.all(GAMMA)):
        with pytest.raises(errors.FailedPrecondition, match='asks for slot "gamma", which it does not require'):
            ask()


def test_directories_exist_and_are_private(context: Callable[..., Context]) -> None:
    ctx = context()
    for path in (ctx.root, ctx.state):
        assert path.name == "io.example.alpha.v1.one"
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert ctx.root.parent == ctx.daemon.root and ctx.state.parent == ctx.daemon.state


def test_what_is_exported_shows_in_the_statuses(context: Callable[..., Context]) -> None:
    ctx = context()
    ctx.export("root", "/x")
    ctx.capability("rebase")
    ctx.capability("rebase")
    ctx.platform("linux/arm64")
    ctx.platform("linux/arm64")
    (status,) = ctx.statuses()
    assert (status.exports, status.capabilities, status.state) == ({"root": "/x"}, ("rebase",), "ok")
    assert status.platforms == ("linux/arm64",)


def test_tables_are_read_only(context: Callable[..., Context]) -> None:
    table = context(config={"proxies": {"a": 1}}).table("proxies")
    assert table == {"a": 1}
    with pytest.raises(TypeError):
        table["b"] = 2  # type: ignore[index]


def test_it_is_the_context_of_the_contract(context: Callable[..., Context]) -> None:
    ctx: InitContext = context()
    assert isinstance(ctx, Chains)
    assert ctx.chain("adjust_container", "spec", namespace="n", id="i", spec={"a": 1}) == {"a": 1}
