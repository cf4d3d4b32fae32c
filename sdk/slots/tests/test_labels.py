import time
from datetime import datetime

import pytest

from moorage_sdk import errors, labels


def test_the_limit_counts_bytes_of_key_and_value() -> None:
    labels.validate({"k": "v" * 4095})
    with pytest.raises(errors.InvalidArgument, match=r"4097 bytes.*key \"k\""):
        labels.validate({"k": "v" * 4096})
    with pytest.raises(errors.InvalidArgument):
        labels.validate({"k": "é" * 2048})


def test_a_long_key_is_shortened_in_the_message() -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        labels.validate({"k" * 5000: ""})
    assert len(str(caught.value)) < 300


def test_a_moment_in_the_future_is_told_in_utc_and_whole_seconds() -> None:
    before = int(time.time())
    told = labels.expiring(3600)[labels.GC_EXPIRE]
    assert told.endswith("Z")
    assert before + 3600 <= datetime.fromisoformat(told).timestamp() <= time.time() + 3600


def test_an_empty_value_deletes() -> None:
    assert labels.stored({"a": "1", "b": ""}) == {"a": "1"}


@pytest.mark.parametrize(
    "key",
    [
        "containerd.io/restart.loguri",
        "containerd.io/gc.root",
        "io.cri-containerd.kind",
        "io.cri-containerd/x",
        "moorage/log",
        "nerdctl/name",
    ],
)
def test_an_image_cannot_steer_the_daemon_nor_its_clients(key: str) -> None:
    assert labels.without_reserved({key: "x", "org.example": "y", "big": "z" * 5000}) == {"org.example": "y"}


def test_a_value_needs_a_key() -> None:
    labels.validate({"": ""})
    with pytest.raises(errors.InvalidArgument, match="key must not be empty"):
        labels.validate({"": "v"})
