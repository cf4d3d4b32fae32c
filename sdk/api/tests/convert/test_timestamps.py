"""Instants, and the several ways of saying "never"."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from moorage_api.convert import timestamps
from moorage_sdk import errors

FIRST = timestamps.GO_ZERO_SECONDS * 1_000_000_000
LAST = timestamps.MAX_SECONDS * 1_000_000_000 + 999_999_999


@given(st.integers(min_value=FIRST + 1, max_value=LAST).filter(bool))
def test_every_instant_survives(nanoseconds: int) -> None:
    assert timestamps.from_message(timestamps.to_message(nanoseconds)) == nanoseconds


def test_never_goes_out_as_gos_zero_time() -> None:
    assert timestamps.to_message(0) == Timestamp(seconds=-62135596800)


@pytest.mark.parametrize("message", [None, Timestamp(), Timestamp(seconds=-62135596800)])
def test_never_comes_in_several_ways(message: Timestamp | None) -> None:
    assert timestamps.from_message(message) == timestamps.NEVER


def test_instants_before_the_epoch_have_positive_nanos() -> None:
    assert timestamps.to_message(-1) == Timestamp(seconds=-1, nanos=999_999_999)


@pytest.mark.parametrize(
    "message",
    [
        Timestamp(seconds=1, nanos=-1),
        Timestamp(seconds=1, nanos=1_000_000_000),
        Timestamp(seconds=timestamps.MAX_SECONDS + 1),
        Timestamp(seconds=timestamps.GO_ZERO_SECONDS - 1),
    ],
)
def test_impossible_timestamps_are_refused(message: Timestamp) -> None:
    with pytest.raises(errors.InvalidArgument, match="out of range"):
        timestamps.from_message(message)


@pytest.mark.parametrize("nanoseconds", [FIRST - 1, LAST + 1])
def test_instants_that_no_timestamp_holds_are_refused(nanoseconds: int) -> None:
    with pytest.raises(errors.InvalidArgument, match="out of range"):
        timestamps.to_message(nanoseconds)
