"""The connection to a daemon, and one attribute per service."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import grpc

from moorage_client.calls import Caller
from moorage_client.containers import Containers
from moorage_client.contents import Contents
from moorage_client.diffs import Diffs
from moorage_client.events import Events
from moorage_client.garbage import Garbage
from moorage_client.images import Images
from moorage_client.leases import Leases
from moorage_client.mounts import Mounts
from moorage_client.namespaces import Namespaces
from moorage_client.plugins import Plugins
from moorage_client.snapshots import Snapshots
from moorage_client.tasks import Tasks
from moorage_client.transfers import Transfers
from moorage_client.versions import Versions
from moorage_sdk import errors

MAX_MESSAGE = 16 << 20
"""Bytes, both ways; ``defaults/defaults.go``."""

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    # Without it grpc sends the percent-encoded socket path as authority, which Go's HTTP/2 server refuses.
    ("grpc.default_authority", "localhost"),
)


class Client:
    """One namespace of one daemon. ``namespaces``, ``plugins``, ``versions`` and ``events`` know no namespace."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.namespace = caller.namespace
        self.containers = Containers(caller)
        self.contents = Contents(caller)
        self.diffs = Diffs(caller)
        self.events = Events(caller)
        self.garbage = Garbage(caller)
        self.images = Images(caller)
        self.leases = Leases(caller)
        self.mounts = Mounts(caller)
        self.namespaces = Namespaces(caller)
        self.plugins = Plugins(caller)
        self.tasks = Tasks(caller)
        self.transfers = Transfers(caller)
        self.versions = Versions(caller)

    def snapshots(self, snapshotter: str) -> Snapshots:
        return Snapshots(self._caller, snapshotter)

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[Client]:
        """The same client for the length of a ``with`` block, with a lease that holds what it creates."""
        if self._caller.lease:
            yield self
            return
        async with self.leases.held() as lease:
            yield self.within(lease)

    def within(self, lease: str) -> Client:
        """The same client, and what it creates is held by that lease, which outlives it."""
        return Client(self._caller.leased(lease))


@asynccontextmanager
async def connect(address: str, namespace: str = "default") -> AsyncIterator[Client]:
    """A client for the length of a ``with`` block. ``address`` is the path of the daemon's socket.

    Raises errors.Unavailable when nobody listens there, errors.PermissionDenied, errors.InvalidArgument.
    """
    path = str(Path(address.removeprefix("unix://")).absolute())  # grpc reads a relative one as a host name
    probe(path)
    async with grpc.aio.insecure_channel(f"unix://{path}", options=OPTIONS) as channel:
        yield Client(Caller(channel, namespace))


def probe(path: str) -> None:
    """Connect and hang up, because the kernel's reason for a refusal is lost in grpc's own error.

    Raises as ``connect``.
    """
    subject = f'daemon at "{path}"'
    with closing(socket.socket(socket.AF_UNIX)) as tried:
        try:
            tried.connect(path)
        except (FileNotFoundError, NotADirectoryError):
            raise errors.Unavailable(f"{subject}: no such socket", hint="is the daemon running?") from None
        except ConnectionRefusedError:
            raise errors.Unavailable(f"{subject}: nobody listens", hint="is the daemon running?") from None
        except PermissionError:
            raise errors.PermissionDenied(f"{subject}: permission denied", hint="run as root") from None
        except OSError as error:
            raise errors.InvalidArgument(f"{subject}: {error}: invalid argument") from None
