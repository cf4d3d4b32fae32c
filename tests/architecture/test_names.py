"""One name in six places: folder, distribution, import, entry point, TOML table, state directory."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from moorage_sdk.slots import Plugin, Slot

CONTAINERD_NAMES = {
    # Where containerd has the very thing under a URI that does not follow from slot and id; 1.1 and 1.3 of its plugins.
    "moorage-content-local": "io.containerd.content.v1.content",
    "moorage-tasks-shim": "io.containerd.runtime.v2.task",
}
WITHOUT_PLUGINS = {
    "moorage.slots",
    "moorage.config",
    "moorage.hooks",
    "moorage.provider",
    "moorage.verb",
    "moorage.command",
}
NAMED_BY_SUBJECT = {
    "moorage-services",
    "moorage-cli",
    "moorage-containerd",
    "moorage-proxy",
    "moorage-cri",
    "moorage-restart-monitor",  # containerd has it as the monitor of containers that is called restart
    "moorage-runtime-kata",  # a runtime to those who look for it, a preset for one to the task manager
}


def plugins_of(member: Any) -> dict[str, Plugin[Any, Any]]:
    """Registered plugins by ``group:entry point``."""
    found = {}
    for group, entries in member.project.get("entry-points", {}).items():
        if group in WITHOUT_PLUGINS:
            continue
        for entry, target in entries.items():
            module, _, attribute = target.partition(":")
            found[f"{group}:{entry}"] = getattr(importlib.import_module(module), attribute)
    return found


def test_folder_distribution_and_import_agree(member: Any) -> None:
    folder = member.folder.name
    name = "moorage-sdk" if (member.place, folder) == ("sdk", "slots") else f"moorage-{folder}"
    assert member.name == name
    assert member.package == name.replace("-", "_")
    assert (member.source / "py.typed").is_file()
    assert (member.folder / "README.md").is_file()
    assert member.project["readme"] == "README.md"


def test_entry_points_name_their_plugin(member: Any) -> None:
    for place, plugin in plugins_of(member).items():
        group, _, entry = place.partition(":")
        assert isinstance(plugin, Plugin), place
        assert isinstance(plugin.slot, Slot)
        assert group == plugin.slot.group
        # A name with dots announces a whole URI, so that disabling by URI needs no import.
        assert entry == (plugin.uri_override or plugin.id)


def test_plugins_live_in_a_folder_of_their_name(member: Any) -> None:
    if member.place not in ("plugins", "plugins_ext") or member.name in NAMED_BY_SUBJECT:
        return
    plugins = list(plugins_of(member).values())
    assert f"{plugins[0].slot.name}-{plugins[0].id}" == member.folder.name
    assert all(module.name == "plugin.py" for module in registrations(member))


def test_uris_are_containerds_or_follow_from_slot_and_id(member: Any) -> None:
    for plugin in plugins_of(member).values():
        if plugin.uri_override:
            assert plugin.uri == CONTAINERD_NAMES[member.name]
        else:
            assert plugin.uri == f"{plugin.slot.type}.{plugin.id}"


def registrations(member: Any) -> list[Any]:
    return [module for module in member.modules() if "Plugin(" in module.read_text("utf-8") and member.place != "sdk"]


@pytest.mark.parametrize("name", sorted(CONTAINERD_NAMES))
def test_no_exception_is_stale(name: str, members: list[Any]) -> None:
    (member,) = [member for member in members if member.name == name]
    assert any(plugin.uri_override for plugin in plugins_of(member).values())
