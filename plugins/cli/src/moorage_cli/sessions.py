"""One connection to the daemon for the length of a verb."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from moorage_client.clients import Client

T = TypeVar("T")

ADDRESSES = ("/run/moorage/moorage.sock", "/run/containerd/containerd.sock")
"""Where a daemon is looked for when nothing says where it is."""


@dataclass(frozen=True)
class Options:
    """What stands before the verb."""

    address: str = ""
    namespace: str = "default"
    debug: bool = False


def options() -> Options:
    """The options of this invocation."""
    found = click.get_current_context().find_object(Options)
    return found or Options()


def address(wanted: str) -> str:
    """The address to use: the one asked for, or the first socket that exists."""
    return wanted or next((each for each in ADDRESSES if os.path.exists(each)), ADDRESSES[0])  # noqa: PTH110


def run(work: Callable[[Client], Awaitable[T]]) -> T:
    """Connect and do ``work``, a coroutine function. Raises what it raises."""
    # Imported here: --help needs none of it, and grpc alone takes longer than all the rest.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import asyncio

    from moorage_client import clients

    chosen = options()

    async def main() -> T:
        async with clients.connect(address(chosen.address), chosen.namespace) as client:
            return await work(client)

    return asyncio.run(main())
