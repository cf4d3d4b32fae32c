"""Where the containers of a sandbox are created: in its shim, if that carries more than one (containerd's Start in
core/runtime/v2/shim_manager.go)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Creation
from moorage_tasks_shim import bootstraps
from moorage_tasks_shim.carriers import Lodging
from moorage_tasks_shim.registries import Registry

_SEVERAL = 3
"""Shims since this version of the Task API carry all containers of a sandbox; earlier ones only say so."""


def find(registry: Registry[Any], namespace: str, creation: Creation) -> Lodging | None:
    """The shim that takes the task; None when it gets one of its own.

    Raises errors.NotFound for a sandbox that nobody runs, errors.InvalidArgument for an address that is none,
    errors.Unimplemented for one that is not spoken to here.
    """
    if not creation.sandbox:
        return None
    if creation.address:
        return Lodging(_endpoint(creation.address, creation.version))
    host = registry.host(namespace, creation.sandbox)
    if host is None:
        raise errors.NotFound(f'sandbox "{creation.sandbox}" in namespace "{namespace}": no shim: not found')
    endpoint = host.record.endpoint if host.carrier.binary else None
    if endpoint is None or endpoint.version < _SEVERAL:
        return None
    return Lodging(endpoint, host.carrier)


def _endpoint(address: str, version: int) -> Endpoint:
    """Of ``ttrpc+unix:///run/x.sock``. Whoever told it ends the shim, so that it counts as everybody's."""
    protocol, plus, rest = address.partition("+")
    if not plus:
        raise errors.InvalidArgument(
            f'sandbox address "{address}": no protocol: invalid argument', hint="write it as ttrpc+unix:///path"
        )
    if not rest.startswith("unix://"):
        raise errors.Unimplemented(f'sandbox address "{address}": not a unix socket: not implemented')
    return replace(bootstraps.endpoint(version, rest, protocol), shared=True)
