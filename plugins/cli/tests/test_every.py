import asyncio

import pytest

from moorage_cli import every
from moorage_sdk import errors


def test_one_failure_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    async def work(name: str) -> None:
        if name == "b":
            raise errors.NotFound('container "b": not found', hint="look again")

    assert asyncio.run(every.each(["a", "b", "c"], work)) == 1
    out, err = capsys.readouterr()
    assert out == "a\nc\n"
    assert err == 'moorage: container "b": not found\nhint: look again\n'
    assert asyncio.run(every.each(["a"], work)) == 0
