from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_sdk import errors
from moorage_ttrpc import frames

any_frame = st.builds(
    frames.Frame,
    stream=st.integers(0, 2**32 - 1),
    type=st.integers(0, 255),
    flags=st.integers(0, 255),
    data=st.binary(max_size=300),
)


def test_header_is_big_endian() -> None:
    assert frames.encode(frames.Frame(1, frames.REQUEST, 2, b"abc")) == b"\0\0\0\x03\0\0\0\x01\x01\x02abc"


@given(st.lists(any_frame), st.lists(st.integers(1, 40)))
def test_frames_survive_any_cut(sent: list[frames.Frame], cuts: list[int]) -> None:
    stream = b"".join(frames.encode(frame) for frame in sent)
    parser, got = frames.Parser(), []
    for cut in cuts:
        got += list(parser.feed(stream[:cut]))
        stream = stream[cut:]
    got += list(parser.feed(stream))
    assert got == sent
    assert not parser.inside


def test_the_longest_frame_is_taken_and_a_longer_one_cannot_be_made() -> None:
    longest = frames.Frame(1, frames.DATA, 0, bytes(frames.MAX_LENGTH))
    assert list(frames.Parser().feed(frames.encode(longest))) == [longest]
    with pytest.raises(errors.ResourceExhausted):
        frames.encode(frames.Frame(1, frames.DATA, 0, bytes(frames.MAX_LENGTH + 1)))


def test_an_oversized_frame_is_skipped_without_being_held() -> None:
    length = frames.MAX_LENGTH + 7
    parser = frames.Parser()
    assert list(parser.feed(frames.HEADER.pack(length, 9, frames.DATA, 1))) == []
    got: list[frames.Frame] = []
    left = length
    while left:
        piece = min(left, 1 << 16)
        got += list(parser.feed(bytes(piece)))
        left -= piece
        assert len(parser._buffer) <= 1 << 16
    assert got == [frames.Frame(9, frames.DATA, 1, oversized=length)]
    after = frames.Frame(11, frames.REQUEST, 0, b"x")
    assert list(parser.feed(frames.encode(after))) == [after]


def test_the_end_inside_a_frame_is_noticed() -> None:
    parser = frames.Parser()
    assert list(parser.feed(frames.encode(frames.Frame(1, frames.REQUEST, 0, b"abc"))[:-1])) == []
    assert parser.inside
