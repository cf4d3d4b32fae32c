import pytest

from moorage_gc_scheduler.policies import MINIMUM_COST, Limits, Policy


def after_first(limits: Limits = Limits(), cost: float = 0.0) -> Policy:  # noqa: B008 - a frozen value
    """A policy whose first collection ended at 10.0; nothing is due but the end of the interval."""
    policy = Policy(limits, 0.0)
    policy.begun()
    policy.done(10.0, cost, None)
    return policy


INTERVAL = MINIMUM_COST / 0.02 - MINIMUM_COST


def test_the_first_collection_comes_after_the_startup_delay() -> None:
    policy = Policy(Limits(startup_delay=0.1), 5.0)
    assert policy.due == pytest.approx(5.1)
    assert not policy.wants(5.05)
    assert policy.wants(5.1)


def test_without_a_startup_delay_something_must_happen_first() -> None:
    policy = Policy(Limits(startup_delay=0.0), 5.0)
    assert policy.due is None
    policy.changed(deletion=True, now=6.0)
    assert policy.due == 6.0
    assert policy.wants(6.0)


def test_nothing_to_do_means_no_collection_and_no_waking() -> None:
    policy = after_first()
    assert policy.due == pytest.approx(10.0 + INTERVAL)
    assert not policy.wants(10.0 + INTERVAL)
    assert policy.due is None


def test_a_deletion_waits_for_the_share_of_time() -> None:
    policy = after_first()
    policy.changed(deletion=True, now=10.01)
    assert policy.due == pytest.approx(10.0 + INTERVAL)
    assert policy.wants(10.0 + INTERVAL)


def test_a_deletion_after_the_interval_is_followed_at_once() -> None:
    policy = after_first(Limits(schedule_delay=0.5))
    assert not policy.wants(11.0)
    policy.changed(deletion=True, now=50.0)
    assert policy.due == 50.5


def test_mutations_count_from_their_threshold() -> None:
    policy = after_first(Limits(mutation_threshold=3))
    policy.wants(20.0)
    for _ in range(2):
        policy.changed(deletion=False, now=20.0)
    assert policy.due is None
    policy.changed(deletion=False, now=21.0)
    assert policy.due == 21.0
    assert policy.wants(21.0)
    never = after_first(Limits(mutation_threshold=0))
    never.wants(20.0)
    for _ in range(1000):
        never.changed(deletion=False, now=21.0)
    assert never.due is None


def test_the_deletion_threshold_cuts_the_interval_short() -> None:
    policy = after_first(Limits(deletion_threshold=2))
    policy.changed(deletion=True, now=10.01)
    assert policy.due == pytest.approx(10.0 + INTERVAL)
    policy.changed(deletion=True, now=10.02)
    assert policy.due == 10.02
    lazy = after_first(Limits(deletion_threshold=2))
    lazy.wants(20.0)
    lazy.changed(deletion=True, now=21.0)
    assert lazy.due == pytest.approx(21.0 + INTERVAL)
    assert lazy.wants(21.0 + INTERVAL)


def test_before_the_first_collection_fewer_deletions_than_the_threshold_bring_none() -> None:
    policy = Policy(Limits(deletion_threshold=2, startup_delay=0.0), 0.0)
    policy.changed(deletion=True, now=1.0)
    assert policy.due is None
    policy.changed(deletion=True, now=2.0)
    assert policy.due == 2.0
    first = Policy(Limits(startup_delay=0.0), 0.0)
    first.changed(deletion=True, now=1.0)
    assert first.due == 1.0


def test_a_request_is_served_at_once_and_again_if_it_came_too_late() -> None:
    policy = after_first()
    policy.request(10.001)
    assert policy.due == 10.001
    assert policy.wants(10.001)
    policy.begun()
    policy.request(10.002)
    policy.done(10.003, 0.0, None)
    assert policy.due == 10.003
    assert policy.wants(10.003)


def test_the_interval_grows_with_what_collections_cost() -> None:
    policy = after_first(Limits(pause_threshold=0.1), cost=1.0)
    assert policy.due == pytest.approx(19.0)
    policy.begun()
    policy.done(20.0, 3.0, None)
    assert policy.due == pytest.approx(20.0 + 2.0 / 0.1 - 2.0)
    greedy = after_first(Limits(pause_threshold=7.0), cost=1.0)
    assert greedy.due == pytest.approx(11.0)


def test_what_expires_brings_a_collection_of_its_own() -> None:
    policy = Policy(Limits(), 0.0)
    policy.begun()
    policy.done(10.0, 0.0, 60.0)
    assert not policy.wants(11.0)
    assert policy.due == 60.0
    assert not policy.wants(59.9)
    assert policy.wants(60.0)
    policy.begun()
    policy.done(61.0, 1.0, 61.1)
    assert policy.due == pytest.approx(61.0 + 0.5 / 0.02 - 0.5)


def test_after_a_failure_it_is_tried_again_but_not_at_once() -> None:
    policy = after_first()
    policy.begun()
    policy.failed(20.0)
    assert policy.due == pytest.approx(22.0 + INTERVAL)
    policy.changed(deletion=False, now=20.1)
    assert policy.due == pytest.approx(22.0 + INTERVAL)
    assert policy.wants(22.0 + INTERVAL)
    for _ in range(20):
        policy.begun()
        policy.failed(30.0)
    assert policy.due == pytest.approx(330.0 + INTERVAL)
    policy.request(31.0)
    assert policy.due == 31.0


def test_what_could_not_be_removed_is_tried_again_later_and_later() -> None:
    policy = after_first()
    policy.begun()
    policy.done(20.0, 0.0, None, complete=False)
    assert not policy.wants(20.0 + INTERVAL)
    assert policy.due == pytest.approx(22.0 + INTERVAL)
    assert not policy.wants(21.9)
    assert policy.wants(22.01 + INTERVAL)
    policy.begun()
    policy.done(30.0, 0.0, None, complete=False)
    assert not policy.wants(33.9)
    assert policy.wants(34.01 + INTERVAL)
    for _ in range(2000):
        policy.begun()
        policy.done(40.0, 0.0, None, complete=False)
    assert not policy.wants(40.0 + 299.9)
    assert policy.wants(340.01 + INTERVAL)
    policy.begun()
    policy.done(50.0, 0.0, None)
    assert not policy.wants(50.0 + INTERVAL)
    assert policy.due is None
