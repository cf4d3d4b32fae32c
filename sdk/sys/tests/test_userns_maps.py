import os
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sys import userns_maps


def test_ranges() -> None:
    assert userns_maps.parse("0:1000:1,1:100000:65535") == [(0, 1000, 1), (1, 100000, 65535)]


@pytest.mark.parametrize("text", ["", "0:0", "0:0:0", "a:b:c", "0:0:4294967296", "-1:0:1", "0:1:٣", "0:1:1,"])
def test_malformed_ranges(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="container:host:size"):
        userns_maps.parse(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="mapping foreign ids needs root")
def test_namespace_outlives_its_holder() -> None:
    fd = userns_maps.open_mapped("0:100000:65536", "0:100000:65536")
    try:
        assert os.fstat(fd).st_ino != Path("/proc/self/ns/user").stat().st_ino
    finally:
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="mapping foreign ids needs root")
def test_kernel_refusal_is_an_error() -> None:
    with pytest.raises(OSError):
        userns_maps.open_mapped("0:0:10,5:100:10", "0:0:10")


def test_inside_user_namespace_reads_the_map() -> None:
    whole = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
    assert userns_maps.inside_user_namespace() is not whole
