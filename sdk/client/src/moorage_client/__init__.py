"""A typed asyncio client of the containerd API.

``connect`` opens a connection; the ``Client`` it yields has one attribute per service. Modules without a service build
what the services take: ``stdios``, ``archives``, ``unpacks``, ``creations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moorage_client.clients import Client as Client
    from moorage_client.clients import connect as connect

_OFFERED = frozenset({"Client", "connect"})


def __getattr__(name: str) -> Any:
    """Imported when first used: most modules here need no grpc, which takes longer than all the rest."""
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from moorage_client import clients

    return getattr(clients, name)
