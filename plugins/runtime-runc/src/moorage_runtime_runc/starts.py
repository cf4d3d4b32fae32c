"""What containerd tells a shim's ``start`` on standard input, read without a protobuf runtime: it runs per container.

Since 2.3 it is BootstrapParams with the runtime's options among the extensions, before it was an ``Any`` of the options
alone. Both have a text in field 1 and bytes in field 2, so that either can be read as the other: BootstrapParams has
the id and the namespace there, which the command line tells as well.
"""

from __future__ import annotations

from moorage_sdk import errors
from moorage_ttrpc import messages

RUNC = "containerd.runc.v1.Options"
GENERIC = "runtimeoptions.v1.Options"

_EXTENSIONS = 8
"""``BootstrapParams.extensions`` in api/runtime/bootstrap/v1/bootstrap.proto; an Extension has its Any in field 1."""
_SHIM_CGROUP = 3
"""``shim_cgroup`` in api/types/runc/options/oci.proto."""
_CONFIG_BODY = 3
"""``config_body`` in api/types/runtimeoptions/v1/api.proto."""


def shim_cgroup(told: bytes, namespace: str, id: str) -> str:
    """The cgroup that the options want the shim to be in, "" for none.

    What cannot be read is for the monitor to refuse, which gets the options again.
    """
    try:
        return next(filter(None, map(_cgroup, options(told, namespace, id))), "")
    except (errors.InvalidArgument, ValueError):
        return ""


def options(told: bytes, namespace: str, id: str) -> list[tuple[str, bytes]]:
    """Full names of types, and encoded values. Raises errors.InvalidArgument, UnicodeDecodeError."""
    fields = [(number, value) for number, value in messages.fields(told) if isinstance(value, bytes)]
    if dict(fields).get(1) == id.encode() and dict(fields).get(2) == namespace.encode():
        extensions = [value for number, value in fields if number == _EXTENSIONS]
        return [_any(value) for extension in extensions for number, value in _bytes(extension) if number == 1]
    return [_any(told)] if fields else []


def _cgroup(option: tuple[str, bytes]) -> str:
    name, value = option
    if name == RUNC:
        return dict(_bytes(value)).get(_SHIM_CGROUP, b"").decode()
    body = dict(_bytes(value)).get(_CONFIG_BODY, b"") if name == GENERIC else b""
    if b"ShimCgroup" not in body:
        return ""
    import tomllib  # hardly ever needed, and every container waits for us

    found = tomllib.loads(body.decode()).get("ShimCgroup", "")
    return found if isinstance(found, str) else ""


def _any(data: bytes) -> tuple[str, bytes]:
    fields = dict(_bytes(data))
    return fields.get(1, b"").decode().rpartition("/")[2], fields.get(2, b"")


def _bytes(data: bytes) -> list[tuple[int, bytes]]:
    return [(number, value) for number, value in messages.fields(data) if isinstance(value, bytes)]
