from hypothesis import given
from hypothesis import strategies as st

from moorage_kv import keys

names = st.one_of(
    st.binary(min_size=1, max_size=8),
    st.builds(lambda tail: b"a" * 395 + tail, st.binary(max_size=16)),
    st.binary(min_size=390, max_size=4096),
)


@given(names, st.binary(max_size=64))
def test_what_is_packed_is_unpacked(key: bytes, value: bytes) -> None:
    stored = keys.stored(key)
    assert len(stored) <= 511
    assert keys.unpack(stored, keys.pack(key, value)) == (key, value)


@given(names, names)
def test_different_keys_are_stored_apart(one: bytes, other: bytes) -> None:
    assert (one == other) == (keys.stored(one) == keys.stored(other))


@given(names, names)
def test_order_is_right_between_groups(one: bytes, other: bytes) -> None:
    first, second = sorted((one, other))
    group, behind = keys.group(keys.stored(first)), keys.group(keys.stored(second))
    assert group <= behind or group == behind[: keys.LIMIT]
