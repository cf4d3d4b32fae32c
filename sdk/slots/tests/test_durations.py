import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_sdk.durations import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0ms", 0.0),
        ("100ms", 0.1),
        ("10s", 10.0),
        ("1h30m", 5400.0),
        ("-1.5h", -5400.0),
        ("+5s", 5.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("1m0.5s", 60.5),
        ("3us", 3e-6),
        ("3\u00b5s", 3e-6),
        ("3\u03bcs", 3e-6),
        ("7ns", 7e-9),
    ],
)
def test_reads_what_go_reads(text: str, seconds: float) -> None:
    assert Duration.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "1", "s", ".", ".s", "1 s", "1S", "-", "1s-", "1d", "\u0661s", "1_0s", "+-1s"])
def test_refuses_what_go_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="must be numbers with units"):
        Duration.parse(text)


def test_refuses_more_than_64_bits_of_nanoseconds() -> None:
    assert Duration.parse("2562047h47m16.854775807s").nanoseconds > 0
    with pytest.raises(ValueError, match="64 bits"):
        Duration.parse("2562048h")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (0.1, "100ms"),
        (1.1, "1.1s"),
        (3661.5, "1h1m1.5s"),
        (3600, "1h0m0s"),
        (60, "1m0s"),
        (1.5e-6, "1.5\u00b5s"),
        (7e-9, "7ns"),
        (-90, "-1m30s"),
    ],
)
def test_prints_as_go_prints(seconds: float, text: str) -> None:
    assert str(Duration(seconds)) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_printed_is_read_back(nanoseconds: int) -> None:
    duration = Duration(nanoseconds / 1e9)
    assert Duration.parse(str(duration)).nanoseconds == duration.nanoseconds


def test_is_a_plain_number() -> None:
    assert Duration(1.5) + 1 == 2.5
    assert repr(Duration(1.5)) == 'Duration("1.5s")'
