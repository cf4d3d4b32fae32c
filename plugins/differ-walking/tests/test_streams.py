import gzip
import io
import os
import tempfile

import pytest
from backports import zstd

from moorage_differ_walking import streams
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.streams import Plain
from moorage_sdk import digests, errors

DATA = os.urandom(700_000) + bytes(700_000)
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"


class Trickle:
    """A pipe that gives one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, 1))


def plain(data: bytes, compression: str = "sniff", limits: Limits | None = None) -> bytes:
    stream = Plain(io.BytesIO(data), compression, limits or Limits())
    result = b"".join(stream)
    assert (stream.digest, stream.size) == (digests.of(result), len(result))
    return result


@pytest.mark.parametrize("compression", ["gzip", "zstd", "sniff"])
def test_what_it_is_counts_not_what_it_is_called(compression: str) -> None:
    for data in (gzip.compress(DATA), zstd.compress(DATA), DATA):
        assert plain(data, compression) == DATA


def test_no_compression_means_none() -> None:
    data = gzip.compress(b"x")
    assert plain(data, "") == data


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (gzip.compress(b"a") + gzip.compress(b"b"), b"ab"), (gzip.compress(b"a") + bytes(600), b"a"), (b"", b""),
        (zstd.compress(b"a") + zstd.compress(b"b"), b"ab"), (SKIPPABLE + zstd.compress(b"a") + SKIPPABLE, b"a"),
        (b"\x1f", b"\x1f"), (b"\x28\xb5\x2f", b"\x28\xb5\x2f"),
    ],
)  # fmt: skip
def test_members_frames_and_padding(data: bytes, wanted: bytes) -> None:
    assert plain(data) == wanted


def test_slow_sources() -> None:
    for data in (gzip.compress(b"abc"), zstd.compress(b"abc"), b"abc"):
        assert b"".join(Plain(Trickle(data), "sniff", Limits())) == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(DATA)[:-1], gzip.compress(DATA)[:-9], gzip.compress(DATA)[:5000],
        gzip.compress(b"a") + b"garbage", zstd.compress(DATA)[:-1], zstd.compress(DATA)[:5000],
        b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd",
        gzip.compress(DATA)[:300_000] + bytes(100) + gzip.compress(DATA)[300_100:],
    ],
)  # fmt: skip
def test_damage_is_data_loss(data: bytes) -> None:
    with pytest.raises(errors.DataLoss, match="damaged"):
        plain(data)


def test_size_is_limited_while_it_grows() -> None:
    with pytest.raises(errors.ResourceExhausted, match="size"):
        plain(gzip.compress(bytes(5_000_000)), limits=Limits(size=4_000_000))


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_bombs_are_stopped_by_their_ratio(compress: "type[bytes]") -> None:
    limits = Limits(ratio=500, ratio_from=1_000_000)
    bomb = compress(bytes(30_000_000))
    assert len(bomb) < 30_000_000 / 500
    with pytest.raises(errors.ResourceExhausted, match="compression ratio"):
        plain(bomb, limits=limits)
    assert plain(compress(bytes(900_000)), limits=limits) == bytes(900_000)


def test_windows_larger_than_ours_are_refused() -> None:
    options = {int(zstd.CompressionParameter.window_log): 28, int(zstd.CompressionParameter.content_size_flag): 0}
    compressor = zstd.ZstdCompressor(options=options)
    data = compressor.compress(b"x" * 100) + compressor.flush()
    with pytest.raises(errors.DataLoss, match=r"(?i)window|memory"):
        plain(data)


@pytest.mark.parametrize("compression", ["gzip", "zstd", ""])
def test_compressed_comes_back_and_is_the_same_twice(compression: str) -> None:
    results = []
    for _ in range(2):
        with tempfile.TemporaryFile() as file:
            with streams.compressed(file.fileno(), compression) as out:
                out.write(DATA)
                out.write(memoryview(b"end"))
            file.seek(0)
            results.append(file.read())
    assert results[0] == results[1]
    assert plain(results[0]) == DATA + b"end"
