import threading

from moorage_mount_manager_lmdb.locks import Locks


def test_one_at_a_time_for_one_key_only() -> None:
    locks, order = Locks(), list[str]()
    entered, release = threading.Event(), threading.Event()

    def first() -> None:
        with locks.held("a"):
            entered.set()
            release.wait(10)
            order.append("first")

    def second() -> None:
        with locks.held("a"):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert entered.wait(10)
    threads[1].start()
    with locks.held("b"):
        order.append("other")
    release.set()
    for thread in threads:
        thread.join(10)
    assert order == ["other", "first", "second"]


def test_nothing_stays_of_what_nobody_holds() -> None:
    locks = Locks()
    try:
        with locks.held("a"):
            raise KeyError
    except KeyError:
        assert not locks._locks
