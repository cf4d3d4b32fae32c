from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.content import CONTENT
from moorage_sdk.slots import InitContext
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.fakes.contexts import Context


def test_is_an_init_context(tmp_path: Path) -> None:
    context = Context(tmp_path)
    typed: InitContext = context
    assert typed.root.is_dir()
    assert typed.root != typed.state


def test_hands_out_plugins(tmp_path: Path) -> None:
    store = MemoryStore()
    context = Context(tmp_path, plugins={"content": {"local": store}})
    assert context.one(CONTENT) is context.get(CONTENT, "local") is store
    with pytest.raises(errors.NotFound):
        context.get(CONTENT, "other")
    with pytest.raises(errors.FailedPrecondition):
        Context(tmp_path).one(CONTENT)


def test_remembers_what_is_announced(tmp_path: Path) -> None:
    context = Context(tmp_path)
    context.export("root", "/x")
    context.capability("rebase")
    context.platform("linux/arm64")
    assert (context.exports, context.capabilities, context.platforms) == ({"root": "/x"}, ["rebase"], ["linux/arm64"])


def test_closes_backwards(tmp_path: Path) -> None:
    context, closed = Context(tmp_path), list[int]()
    context.on_close(lambda: closed.append(1))
    context.on_close(lambda: closed.append(2))
    context.close()
    assert closed == [2, 1]
