"""Compression is told by the bytes, taken off piece by piece, and its damage is no crash."""

from __future__ import annotations

import gzip
import io
import sys

import pytest

from moorage_sdk import errors
from moorage_tars import compressions

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DATA = bytes(range(256)) * 4000
PACKED = {"": DATA, "gzip": gzip.compress(DATA), "zstd": zstd.compress(DATA)}


class Dripping:
    """Gives as little as a pipe may give."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._stream.read(min(size, 3) if self._stream.tell() < 100 else min(size, 5000))


@pytest.mark.parametrize("kind", PACKED)
def test_every_compression_is_known_and_taken_off(kind: str) -> None:
    plain = compressions.Plain(Dripping(PACKED[kind]))
    assert plain.compression == kind
    assert plain.read(100_000) == DATA[:100_000]
    assert plain.read(len(DATA)) == DATA[100_000:]
    assert plain.read(1) == b""


@pytest.mark.parametrize("kind", PACKED)
def test_who_says_what_it_is_gets_it_as_it_is(kind: str) -> None:
    assert compressions.Plain(Dripping(PACKED[kind]), sniff=False).read(len(DATA) * 2) == PACKED[kind]


@pytest.mark.parametrize("head", [b"", b"\x1f", b"\x1f\x8b", b"\x28\xb5", b"ustar"])
def test_short_and_other_beginnings_are_plain(head: bytes) -> None:
    assert compressions.Plain(io.BytesIO(head)).read(10) == head


def test_a_skippable_frame_is_zstd() -> None:
    assert compressions.detect(b"\x53\x2a\x4d\x18") == "zstd"
    assert compressions.detect(b"\x60\x2a\x4d\x18") == ""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damage_is_data_loss(kind: str, damage: str) -> None:
    data = bytearray(PACKED[kind])
    if damage == "cut":
        del data[-9:]
    else:
        data[len(data) // 2] ^= 0xFF
        data[8:12] = b"\xff\xff\xff\xff"
    with pytest.raises(errors.DataLoss, match="damaged"):
        compressions.Plain(io.BytesIO(data)).read(len(DATA) + 1)


def test_what_is_gzipped_depends_on_the_bytes_alone() -> None:
    packed = []
    for _ in range(2):
        sink = io.BytesIO()
        with compressions.gzipped(sink) as file:
            for start in range(0, len(DATA), 10_000):
                file.write(DATA[start : start + 10_000])
        packed.append(sink.getvalue())
    assert packed[0] == packed[1]
    assert packed[0][3:8] == bytes(5)  # no name, no time
    assert gzip.decompress(packed[0]) == DATA


@pytest.mark.parametrize("kind", PACKED)
def test_what_the_source_raises_is_not_taken_for_damage(kind: str) -> None:
    class Leaving:
        def __init__(self) -> None:
            self.left = [PACKED[kind][:50], PACKED[kind][50:90]]

        def read(self, size: int, /) -> bytes:
            if not self.left:
                raise errors.Cancelled("stream: no longer wanted: cancelled")
            data, self.left[0] = self.left[0][:size], self.left[0][size:]
            if not self.left[0]:
                self.left = self.left[1:]
            return data

    with pytest.raises(errors.Cancelled):
        compressions.Plain(Leaving()).read(len(DATA))
