"""Mounts as values and messages."""

from moorage_api.convert import mounts
from moorage_api.messages import types
from moorage_sdk.mounts import Mount

VALUE = Mount("overlay", "overlay", ("index=off", "lowerdir=/b:/a"), "sub")
MESSAGE = types.Mount(type="overlay", source="overlay", options=["index=off", "lowerdir=/b:/a"], target="sub")


def test_both_ways() -> None:
    assert mounts.to_message(VALUE) == MESSAGE
    assert mounts.from_message(MESSAGE) == VALUE


def test_plans_keep_their_order() -> None:
    plan = (VALUE, Mount("bind", "/x", ("rbind", "ro")))
    assert mounts.from_messages(mounts.to_messages(plan)) == plan
