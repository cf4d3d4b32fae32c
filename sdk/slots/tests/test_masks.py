import pytest

from moorage_sdk import errors, masks
from moorage_sdk.events import Payload


def test_the_whole_map_is_replaced() -> None:
    assert masks.update_map({"a": "1", "b": "2"}, {"c": "3", "d": ""}, ["labels"]) == {"c": "3"}


def test_one_key_is_set_or_removed_dots_included() -> None:
    current = {"a": "1", "x.y/z": "2"}
    assert masks.update_map(current, {"x.y/z": "3"}, ["labels.x.y/z"]) == {"a": "1", "x.y/z": "3"}
    assert masks.update_map(current, {}, ["labels.x.y/z"]) == {"a": "1"}
    assert masks.update_map(current, {"a": ""}, ["labels.a"]) == {"x.y/z": "2"}


def test_paths_of_other_fields_change_nothing() -> None:
    assert masks.update_map({"a": "1"}, {"a": "2"}, ["spec", "labelsx", "annotations.a"]) == {"a": "1"}
    assert masks.update_map({"a": "1"}, {"a": "2"}, ["extensions.a"], "extensions") == {"a": "2"}


def test_values_may_be_anything() -> None:
    old, new = Payload("a", b""), Payload("b", b"")
    assert masks.update_map({"x": old, "y": old}, {"x": new}, ["extensions.x", "extensions.y"], "extensions") == {
        "x": new
    }


@pytest.mark.parametrize("path", ["labels.k", "labels", "spec"])
def test_listed_paths_pass(path: str) -> None:
    masks.check([path], ("labels", "labels.", "spec"), "container")


@pytest.mark.parametrize("path", ["id", "", "labelsx", "spec.x"])
def test_other_paths_are_named(path: str) -> None:
    with pytest.raises(errors.InvalidArgument, match='field on container "web"'):
        masks.check([path], ("labels", "labels.", "spec"), 'container "web"')
