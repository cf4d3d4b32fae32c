from __future__ import annotations

import pytest

from moorage_transfer_local.retries import Policy, parse_retry_after


def test_delays_double_up_to_the_cap() -> None:
    policy = Policy(base=1, cap=5, jitter=lambda: 1.0)
    assert [policy.delay(attempt) for attempt in range(1, 6)] == [1, 2, 4, 5, 5]


def test_half_of_a_delay_is_random() -> None:
    assert Policy(base=1, jitter=lambda: 0.0).delay(1) == 0.5


def test_what_the_registry_asks_is_honoured_up_to_a_minute() -> None:
    policy = Policy(base=1, jitter=lambda: 0.0)
    assert policy.delay(1, "7") == 7
    assert policy.delay(1, "1000000000") == 60
    assert policy.delay(1, "nonsense") == 0.5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0.0), (" 12 ", 12.0), ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0), ("Wed, 31 Dec 1969 00:00:00 GMT", 0.0)),
        *(("", None), ("-1", None), ("1.5", None), ("٣", None), ("9" * 40, None), ("Thu, 99 Xyz 1970", None)),
    ],
)
def test_the_header_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, now=lambda: 10.0) == seconds
