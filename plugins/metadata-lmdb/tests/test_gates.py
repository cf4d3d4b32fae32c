import threading
import time

from moorage_metadata_lmdb.gates import Gate


def test_sharers_share_and_the_remover_is_alone() -> None:
    gate, inside, trouble = Gate(), [0, 0], []
    together = threading.Barrier(3)

    def share() -> None:
        for _ in range(50):
            with gate.shared():
                inside[0] += 1
                if inside[1]:
                    trouble.append("shared while taken")
                time.sleep(0)
                inside[0] -= 1

    def take() -> None:
        for _ in range(20):
            with gate.exclusive():
                inside[1] += 1
                if inside != [0, 1]:
                    trouble.append(f"not alone: {inside}")
                time.sleep(0)
                inside[1] -= 1

    def meet() -> None:
        with gate.shared():
            together.wait(10)

    for target in ((meet,) * 3, (share,) * 4 + (take,) * 2):
        threads = [threading.Thread(target=each) for each in target]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads)
    assert trouble == []


def test_who_comes_first_goes_first() -> None:
    gate, order = Gate(), []
    with gate.shared():
        remover = threading.Thread(target=lambda: enter(gate.exclusive, "remover"))

        def enter(how: object, name: str) -> None:
            with how():  # type: ignore[operator]
                order.append(name)

        remover.start()
        deadline = time.monotonic() + 10
        while not gate._waiting and time.monotonic() < deadline:
            time.sleep(0.001)
        sharer = threading.Thread(target=lambda: enter(gate.shared, "sharer"))
        sharer.start()
        time.sleep(0.01)
        assert order == []
    remover.join(10)
    sharer.join(10)
    assert order == ["remover", "sharer"]


def test_what_is_raised_inside_opens_the_gate_again() -> None:
    gate = Gate()
    for how in (gate.shared, gate.exclusive):
        try:
            with how():
                raise ValueError
        except ValueError:
            pass
    with gate.exclusive():
        pass


def test_a_remover_that_comes_back_at_once_lets_others_in() -> None:
    gate, stop = Gate(), threading.Event()
    order: list[str] = []

    def remove() -> None:
        while not stop.is_set():
            with gate.exclusive():
                order.append("remove")
                time.sleep(0.001)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for _ in range(5):
            before = len(order)
            with gate.shared():
                assert len(order) <= before + 2
    finally:
        stop.set()
        remover.join(10)
