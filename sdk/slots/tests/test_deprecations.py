import pytest

from moorage_sdk.deprecations import DEPRECATIONS, Deprecations


def test_the_slot_is_containerds() -> None:
    assert (DEPRECATIONS.name, DEPRECATIONS.type) == ("warning", "io.containerd.warning.v1")
    assert DEPRECATIONS.group == "moorage.warning"


def test_it_is_warned_of_and_told() -> None:
    with pytest.raises(TypeError, match=r"met.*warn"):
        Deprecations()  # type: ignore[abstract]
