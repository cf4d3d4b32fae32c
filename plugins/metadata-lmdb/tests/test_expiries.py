import pytest

from moorage_metadata_lmdb import expiries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * 10**9),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000 * 10**9),
        ("2023-11-14T16:43:20.5-05:30", 1_700_000_000_500_000_000),
        ("1970-01-01T1:00:00,5Z", 3600 * 10**9 + 500_000_000),
        ("1969-12-31T23:59:59Z", -(10**9)),
        ("0001-01-01T00:00:00Z", -62135596800 * 10**9),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert expiries.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2023-11-14", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z", "2023-11-14 22:13:20Z", "0"]
)
def test_other_texts_are_no_times(text: str) -> None:
    assert expiries.parse(text) is None
    assert expiries.of({"containerd.io/gc.expire": text}) is None


def test_of_labels() -> None:
    assert expiries.of({}) is None
    assert expiries.of({"containerd.io/gc.expire": "1970-01-01T00:00:01Z"}) == 10**9
