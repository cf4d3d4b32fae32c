import pytest

from moorage_content_local.locks import Locks
from moorage_sdk import errors


def test_second_taker_learns_the_age() -> None:
    locks = Locks()
    locks.acquire("a")
    with pytest.raises(errors.Unavailable, match=r'ref "a" locked for 0\.\d+s \(since 20'):
        locks.acquire("a")
    locks.acquire("b")
    locks.release("a")
    locks.acquire("a")
