"""Content of several namespaces, over the socket, under both policies."""

from collections.abc import Callable

import pytest

from moorage_sdk import labels
from moorage_sdk.namespaces import Namespace
from moorage_testkit.daemons import Daemon
from moorage_testkit.remotes import Remote
from moorage_testkit.suites.sharing import IsolatedContentSuite, SharedContentSuite, Stores


class TestSharedContent(SharedContentSuite):
    @pytest.fixture
    def stores(self, daemon: Daemon, remote_of: Callable[[Daemon, str], Remote]) -> Stores:
        return lambda namespace: remote_of(daemon, namespace).content


class TestIsolatedContent(IsolatedContentSuite):
    @pytest.fixture
    def stores(self, isolating: Daemon, remote_of: Callable[[Daemon, str], Remote]) -> Stores:
        return lambda namespace: remote_of(isolating, namespace).content

    @pytest.fixture
    def offer(self, isolating: Daemon, remote_of: Callable[[Daemon, str], Remote]) -> Callable[[str], None]:
        def label(namespace: str) -> None:
            remote = remote_of(isolating, namespace)
            remote.run(remote.client.namespaces.update(Namespace(namespace, {labels.SHAREABLE: "true"})))

        return label
