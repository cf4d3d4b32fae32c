"""The table ``[proxy_plugins]``: which plugins are other processes, and where those listen.

Keys and short names of types are those of containerd's ``ProxyPlugin`` (cmd/containerd/server/config); the keys
``namespace`` and ``lease`` are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from moorage_sdk import errors, platforms
from moorage_sdk.tables import Table

Type = Literal[
    "snapshot",
    "content",
    "diff",
    "sandbox",
    "io.containerd.snapshotter.v1",
    "io.containerd.content.v1",
    "io.containerd.differ.v1",
    "io.containerd.sandbox.controller.v1",
]


@dataclass(frozen=True)
class Proxy:
    type: Type
    """The slot that the process fills, by a short name or by the type of its plugins."""
    address: str
    """The unix socket that it listens on, a path or ``unix://`` and a path."""
    platform: str = ""
    """The platform that it serves (``linux/arm64``); empty is the host's."""
    exports: Mapping[str, str] = field(default_factory=dict)
    """Facts to be shown with the plugin, such as the directory of a snapshotter (``root``)."""
    capabilities: tuple[str, ...] = ()
    """Abilities to be shown with the plugin, such as ``rebase``."""
    namespace: str = ""
    """Where everything is kept at a peer with namespaces of its own; empty is the namespace of each client."""
    lease: str = ""
    """The lease that everything belongs to at a peer that collects what nobody keeps; it has to exist there."""

    def __post_init__(self) -> None:
        if not self.address:
            raise errors.InvalidArgument("address is empty")
        scheme, found, _ = self.address.partition("://")
        if found and scheme != "unix":
            raise errors.InvalidArgument(f'address "{self.address}" is no unix socket')
        if self.lease and not self.namespace:
            raise errors.InvalidArgument("a lease is one of a namespace, and none is given")
        if self.platform:
            platforms.parse(self.platform)


PROXIES = Table("proxy_plugins", Proxy)
"""The table of the configuration, by the id of the plugin."""
