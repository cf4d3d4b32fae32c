"""Leases: what keeps all that a transfer makes until it is named."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from moorage_sdk import errors, labels
from moorage_sdk.leases import Resource
from moorage_sdk.metadata import View

LIFE = 24 * 3600.0
"""Seconds that what a transfer made is kept when the daemon dies in its middle (as in containerd)."""


@contextlib.contextmanager
def leased(view: View, opened: Callable[[str, str], View], *held: Resource) -> Iterator[View]:
    """The view under a lease: the client's, or one of our own that ends with the block.

    ``opened`` gives a namespace's view under a lease. Our own lease keeps what is ``held``.
    """
    if view.lease:
        yield view
        return
    lease = view.leases.create(labels=labels.expiring(LIFE))
    try:
        for resource in held:
            view.leases.add_resource(lease.id, resource)
        yield opened(view.namespace, lease.id)
    finally:
        with contextlib.suppress(errors.NotFound):
            view.leases.delete(lease.id)
