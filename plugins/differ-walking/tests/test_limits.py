import pytest

from moorage_differ_walking.limits import Limits
from moorage_sdk import errors


def test_check_names_what_and_how_much() -> None:
    Limits().check("depth", 4096, 4096)
    with pytest.raises(errors.ResourceExhausted, match="layer: depth 4097 over the limit of 4096"):
        Limits().check("depth", 4097, 4096)
