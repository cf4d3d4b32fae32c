import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import pytest

import moorage_sdk
from moorage_sdk.slots import NoConfig, Plugin, Slot, Status

PLACES: Slot[Mapping[str, str]] = Slot("place", "io.example.place.v1")


def declared() -> dict[str, Slot[Any]]:
    """Every slot that a module of the sdk defines, by its place."""
    found: dict[str, Slot[Any]] = {}
    for info in pkgutil.iter_modules(moorage_sdk.__path__):
        module = importlib.import_module(f"moorage_sdk.{info.name}")
        found |= {f"{module.__name__}:{name}": value for name, value in vars(module).items() if isinstance(value, Slot)}
    return found


def test_every_slot_is_declared_as_an_entry_point_under_its_name() -> None:
    listed = {each.value: each for each in entry_points(group="moorage.slots") if each.dist.name == "moorage-sdk"}
    assert {value: each.name for value, each in listed.items()} == {
        place: slot.name for place, slot in declared().items()
    }


def test_no_two_slots_share_a_name_or_a_type() -> None:
    slots = list(declared().values())
    assert len({slot.name for slot in slots}) == len({slot.type for slot in slots}) == len(slots)


def test_the_group_of_entry_points_follows_from_the_name() -> None:
    assert PLACES.group == "moorage.place"


def test_the_uri_follows_from_slot_and_id_unless_containerd_says_otherwise() -> None:
    def make(ctx: object, config: NoConfig) -> Mapping[str, str]:
        return {}

    assert Plugin(PLACES, "local", make).uri == "io.example.place.v1.local"
    assert Plugin(PLACES, "local", make, uri_override="io.example.place.v1.place").uri == "io.example.place.v1.place"
    assert Plugin(PLACES, "local", make).config is NoConfig


def test_a_plugin_is_a_value() -> None:
    @dataclass(frozen=True)
    class Config:
        size: int = 1

    def make(ctx: object, config: Config) -> Mapping[str, str]:
        return {"size": str(config.size)}

    plugin = Plugin(PLACES, "local", make, Config, requires=(PLACES,))
    with pytest.raises(AttributeError):
        plugin.id = "other"  # type: ignore[misc]
    assert plugin.make(None, Config(3)) == {"size": "3"}  # type: ignore[arg-type]


def test_a_status_says_nothing_that_was_not_given() -> None:
    status = Status("io.example.place.v1.local", "ok")
    assert (status.reason, status.requires, status.exports, status.capabilities) == ("", (), {}, ())
