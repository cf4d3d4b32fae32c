import threading
import time

import pytest

from moorage_metadata_lmdb.reservations import Reservations
from moorage_sdk import errors


def test_a_name_has_one_holder() -> None:
    names = Reservations()
    names.take("ns", "ref")
    with pytest.raises(errors.Unavailable, match=r"^ref ref locked for \d+\.\d+s \(since .*\): unavailable$"):
        names.take("ns", "ref")
    names.take("other", "ref")
    assert ("ns", "ref") in names
    names.free("ns", "ref")
    assert ("ns", "ref") not in names
    names.take("ns", "ref")


def test_waiting_is_one_after_the_other() -> None:
    names, running, most = Reservations(), [0], [0]

    def work() -> None:
        for _ in range(30):
            with names.waiting("name"):
                running[0] += 1
                most[0] = max(most[0], running[0])
                time.sleep(0)
                running[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [1]
    assert ("name",) not in names
