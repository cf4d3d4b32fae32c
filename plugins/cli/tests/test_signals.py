import asyncio
import os
import signal

import pytest

from moorage_cli import signals
from moorage_sdk import errors


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigkill", 9),
        ("9", 9),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
        ("RTMIN", signal.SIGRTMIN),
    ],
)
def test_names_and_numbers(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "NOPE", "RTMIN+99", "RTMIN+", "SIG"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        signals.parse(text)


def test_signals_are_passed_on_and_then_what_they_were() -> None:
    async def main() -> list[int]:
        seen: list[int] = []
        with signals.forwarded(seen.append), signals.resized(lambda: seen.append(0)):
            for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGWINCH):
                os.kill(os.getpid(), number)
            async with asyncio.timeout(5):
                while len(seen) < 3:
                    await asyncio.sleep(0.01)
        return sorted(seen)

    before = signal.getsignal(signal.SIGTERM)
    assert asyncio.run(main()) == sorted([signal.SIGTERM, signal.SIGUSR1, 0])
    assert signal.getsignal(signal.SIGTERM) == before
