"""Makes plugins of ``[proxy_plugins]``: what the group ``moorage.provider`` names.

They are plugins like any other: listed by introspection, disabled by URI, and made without connecting to anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from moorage_proxy.entries import PROXIES, Proxy
from moorage_proxy.scopes import Scope
from moorage_sdk import config
from moorage_sdk.content import CONTENT
from moorage_sdk.differs import DIFFER
from moorage_sdk.sandboxes import SANDBOX_CONTROLLER
from moorage_sdk.slots import InitContext, NoConfig, Plugin, Slot
from moorage_sdk.snapshots import SNAPSHOTTER

if TYPE_CHECKING:
    from moorage_proxy.peers import Peer, Peers

SLOTS: Mapping[str, Slot[Any]] = {
    name: slot
    for short, slot in (
        ("snapshot", SNAPSHOTTER),
        ("content", CONTENT),
        ("diff", DIFFER),
        ("sandbox", SANDBOX_CONTROLLER),
    )
    for name in (short, slot.type)
}
"""The slots by the types that the configuration knows (cmd/containerd/server/server.go in containerd v2.3)."""


def provide(document: Mapping[str, Any]) -> Iterable[Plugin[Any, Any]]:
    """The plugins of a configuration. Raises config.Refused for entries that cannot be plugins."""
    decoded = PROXIES.decode(document.get(PROXIES.name, {}))
    if decoded.value is None:
        raise config.Refused(decoded.faults)
    if not decoded.value:
        return ()
    from moorage_proxy.peers import Peers  # grpc is slow to import, and most daemons have no proxies

    peers = Peers()
    return [plugin(name, proxy, peers) for name, proxy in decoded.value.items()]


def plugin(name: str, proxy: Proxy, peers: Peers) -> Plugin[Any, Any]:
    """The plugin of one entry. Those of one address share a connection."""
    slot = SLOTS[proxy.type]

    def make(ctx: InitContext, config: NoConfig) -> Any:
        for key, value in {**proxy.exports, "address": proxy.address}.items():
            ctx.export(key, value)
        for each in proxy.capabilities:
            ctx.capability(each)
        if proxy.platform:
            ctx.platform(proxy.platform)
        peer = peers.open(proxy.address)
        ctx.on_close(lambda: peers.close(peer))
        return _MAKERS[slot.name](peer, name, Scope(proxy.namespace, proxy.lease, bool(proxy.namespace)))

    return Plugin(slot, name, make, tables=(PROXIES,))


def _snapshotter(peer: Peer, name: str, scope: Scope) -> Any:
    from moorage_proxy.snapshotters import ProxySnapshotter

    return ProxySnapshotter(peer, name, scope)


def _store(peer: Peer, name: str, scope: Scope) -> Any:
    from moorage_proxy.stores import ProxyStore

    return ProxyStore(peer, scope)


def _differ(peer: Peer, name: str, scope: Scope) -> Any:
    from moorage_proxy.differs import ProxyDiffer

    return ProxyDiffer(peer, scope)


def _controller(peer: Peer, name: str, scope: Scope) -> Any:
    from moorage_proxy.controllers import ProxyController

    return ProxyController(peer, name, scope)


_MAKERS: Mapping[str, Callable[[Peer, str, Scope], Any]] = {
    SNAPSHOTTER.name: _snapshotter,
    CONTENT.name: _store,
    DIFFER.name: _differ,
    SANDBOX_CONTROLLER.name: _controller,
}
