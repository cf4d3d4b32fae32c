"""What a transfer makes is kept under a lease: of the client, or for the length of the transfer."""

from __future__ import annotations

import datetime

import pytest

from moorage_sdk import labels
from moorage_sdk.metadata import View
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_transfer_local.leases import LIFE, leased


class Opened:
    """Gives views, and remembers for which leases."""

    def __init__(self) -> None:
        self.view = MemoryMetadata().view("ns")
        self.asked: list[tuple[str, str]] = []

    def __call__(self, namespace: str, lease: str) -> View:
        self.asked.append((namespace, lease))
        return self.view


def test_a_lease_of_our_own_ends_with_the_block_also_when_it_fails() -> None:
    opened = Opened()
    with pytest.raises(ZeroDivisionError), leased(opened.view, opened):
        [lease] = opened.view.leases.list()
        assert opened.asked == [("ns", lease.id)]
        until = datetime.datetime.fromisoformat(lease.labels[labels.GC_EXPIRE])
        ahead = until - datetime.datetime.now(datetime.UTC)
        assert datetime.timedelta(seconds=LIFE - 3600) < ahead <= datetime.timedelta(seconds=LIFE)
        raise ZeroDivisionError
    assert opened.view.leases.list() == []


def test_the_lease_of_a_client_is_used_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Opened()
    lease = opened.view.leases.create()
    monkeypatch.setattr(type(opened.view), "lease", lease.id)
    with leased(opened.view, opened) as held:
        assert held is opened.view
    assert opened.asked == []
    assert [each.id for each in opened.view.leases.list()] == [lease.id]


def test_a_lease_that_the_client_deleted_meanwhile_is_no_error() -> None:
    opened = Opened()
    with leased(opened.view, opened):
        opened.view.leases.delete(opened.asked[0][1])
    assert opened.view.leases.list() == []
