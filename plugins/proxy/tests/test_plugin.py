from pathlib import Path
from typing import Any

import pytest

from moorage_proxy import plugin
from moorage_proxy.controllers import ProxyController
from moorage_proxy.differs import ProxyDiffer
from moorage_proxy.scopes import Scope
from moorage_proxy.snapshotters import ProxySnapshotter
from moorage_proxy.stores import ProxyStore
from moorage_sdk import config
from moorage_sdk.namespaces import within
from moorage_testkit.fakes.contexts import Context

KINDS = {
    "snapshot": ("io.containerd.snapshotter.v1", ProxySnapshotter),
    "content": ("io.containerd.content.v1", ProxyStore),
    "diff": ("io.containerd.differ.v1", ProxyDiffer),
    "sandbox": ("io.containerd.sandbox.controller.v1", ProxyController),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("long", [False, True])
def test_an_entry_is_a_plugin_of_its_type(kind: str, long: bool, tmp_path: Path) -> None:
    type, filled = KINDS[kind]
    entry = {"type": type if long else kind, "address": "unix:///nowhere/x.sock"}
    (made,) = plugin.provide({"proxy_plugins": {"far": entry}})
    assert made.uri == f"{type}.far"
    context = Context(tmp_path)
    assert isinstance(made.make(context, made.config()), filled)
    context.close()


def test_introspection_shows_what_the_entry_says(tmp_path: Path) -> None:
    entry = {
        "type": "snapshot",
        "address": "/x.sock",
        "platform": "linux/arm64",
        "exports": {"root": "/r", "address": "/other"},
        "capabilities": ["rebase"],
    }
    (made,) = plugin.provide({"proxy_plugins": {"far": entry}})
    context = Context(tmp_path)
    made.make(context, made.config())
    assert context.exports == {"root": "/r", "address": "/x.sock"}
    assert (context.capabilities, context.platforms) == (["rebase"], ["linux/arm64"])


def test_without_a_table_there_is_nothing() -> None:
    assert list(plugin.provide({})) == []


def test_all_faults_come_at_once_and_with_their_places() -> None:
    table: dict[str, Any] = {"a": {"type": "x", "address": "/a"}, "b": {"type": "diff"}, "c": 1}
    with pytest.raises(config.Refused) as caught:
        plugin.provide({"proxy_plugins": table})
    assert [fault.path for fault in caught.value.faults] == [
        ("proxy_plugins", "a", "type"),
        ("proxy_plugins", "b", "address"),
        ("proxy_plugins", "c"),
    ]


def test_a_namespace_in_the_entry_counts_for_all(tmp_path: Path) -> None:
    entries = {
        name: {"type": "content", "address": "/x.sock", "namespace": namespace}
        for name, namespace in (("pinned", "kept"), ("free", ""))
    }
    pinned, free = (each.make(Context(tmp_path), each.config()) for each in plugin.provide({"proxy_plugins": entries}))
    assert within(pinned, "other")._scope == Scope("kept", pinned=True)
    assert within(free, "other")._scope == Scope("other")
