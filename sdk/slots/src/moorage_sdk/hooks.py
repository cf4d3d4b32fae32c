"""Hooks: moments that are announced, and the one contribution that is collected.

pluggy tells, it never chooses. No hook stands inside a request that needs an answer, except ``adjust_container``. A
plugin that wants hooks names a module or object in the entry-point group ``moorage.hooks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import pluggy

PROJECT = "moorage"
spec = pluggy.HookspecMarker(PROJECT)
impl = pluggy.HookimplMarker(PROJECT)


@spec
def plugins_ready(statuses: tuple[Any, ...]) -> None:
    """All plugins are made, no server has started. ``statuses``: ``moorage_sdk.slots.Status`` of each plugin."""


@spec
def daemon_ready(addresses: Mapping[str, str]) -> None:
    """All servers accept connections. ``addresses`` by URI of the server."""


@spec
def daemon_stopping() -> None:
    """The daemon drains: no new requests, plugins still work."""


@spec
def adjust_container(namespace: str, id: str, spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a changed OCI runtime specification for a container about to be created, or None to leave it.

    Implementations are called one by one, each sees what the last returned; one that raises or takes too long is left
    out and marked failed, the container is created without its change.
    """


@runtime_checkable
class Chains(Protocol):
    """What the daemon's InitContext also can: run a collected hook. Found with ``isinstance(ctx, Chains)``."""

    def chain(self, hook: str, carried: str, /, **arguments: Any) -> Any:
        """Call every implementation of ``hook`` in turn with ``arguments``, and return what became of ``carried``.

        ``carried`` names the argument that each implementation may replace by what it returns::

            spec = ctx.chain("adjust_container", "spec", namespace=namespace, id=id, spec=spec)

        Blocks for at most a few seconds per implementation. Never raises for a faulty implementation.
        """
