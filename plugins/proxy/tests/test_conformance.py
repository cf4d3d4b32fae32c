import pytest

from moorage_proxy.peers import Peer
from moorage_proxy.scopes import Scope
from moorage_proxy.snapshotters import ProxySnapshotter
from moorage_proxy.stores import ProxyStore
from moorage_testkit.suites.content import ContentSuite
from moorage_testkit.suites.snapshots import SnapshotSuite


class TestProxySnapshotter(SnapshotSuite):
    @pytest.fixture
    def snapshotter(self, both: tuple[Peer, Scope]) -> ProxySnapshotter:
        peer, scope = both
        return ProxySnapshotter(peer, "native", scope)


class TestProxyStore(ContentSuite):
    keeps_labels = True
    truncates = False

    @pytest.fixture
    def store(self, both: tuple[Peer, Scope]) -> ProxyStore:
        return ProxyStore(*both)
