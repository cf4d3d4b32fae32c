import pytest

from moorage_content_local import timestamps


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_both_ways(nanoseconds: int, text: str) -> None:
    assert timestamps.to_text(nanoseconds) == text
    assert timestamps.from_text(text) == nanoseconds


def test_zones() -> None:
    assert timestamps.from_text("1970-01-01T01:00:00.5+01:00") == 500_000_000


@pytest.mark.parametrize("text", ["", "yesterday", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z"])
def test_malformed(text: str) -> None:
    with pytest.raises(ValueError):
        timestamps.from_text(text)
