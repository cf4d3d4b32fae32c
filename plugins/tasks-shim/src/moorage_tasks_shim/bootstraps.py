"""What a shim's binary is told at its start, and what it answers.

The contract has three dialects (docs/runtime-v2.md, pkg/shim and core/runtime/v2/shim.go in containerd): since 2.3 both
directions are protobuf; before, standard input was an ``Any`` of runtime options, and the answer JSON or an address.
The two inputs share wire fields, so that either side can take one for the other without an error: which of them a shim
wants must be known, not tried.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from moorage_api.messages import bootstrap, shim_v3
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle
from moorage_ttrpc import sockets

PROTOCOLS = ("ttrpc", "grpc")
GRPC_SINCE = 3
"""The first version of the Task API that containerd speaks over gRPC (core/runtime/v2/bridge.go)."""

VERSIONS = (2, 3)
"""Versions of the Task API that the manager speaks (CurrentShimVersion in core/runtime/v2/shim.go)."""

_ANSWER = re.compile(r"Version:\s*v?(\d+)\.(\d+)")
PROTOBUF_SINCE = {"containerd-shim-runc-v2": (2, 3)}
"""Shims known to want BootstrapParams, and since when. A shim that is not listed gets what all shims understood."""


@dataclass(frozen=True)
class Daemon:
    """What shims are told of us: addresses of the sockets, and a binary for events that ttrpc could not deliver."""

    grpc_address: str
    ttrpc_address: str
    binary: str
    version: str
    socket_dir: str = ""


def wants_protobuf(name: str, version_output: str) -> bool:
    """Whether the shim of this file name reads BootstrapParams, by what it prints for ``-v``."""
    match = _ANSWER.search(version_output)
    since = PROTOBUF_SINCE.get(name)
    return bool(since and match and (int(match[1]), int(match[2])) >= since)


def parameters(bundle: Bundle, daemon: Daemon, options: Payload | None, level: int = logging.INFO) -> bytes:
    """Standard input of a shim since 2.3; ``level`` is that of its log, as in ``logging``."""
    told = bootstrap.BootstrapParams(
        instance_id=bundle.id,
        namespace=bundle.namespace,
        log_level=_level(level),
        containerd_version=daemon.version,
        containerd_ttrpc_address=daemon.ttrpc_address,
        containerd_grpc_address=daemon.grpc_address,
        containerd_binary=daemon.binary,
    )
    if daemon.socket_dir:
        told.socket_dir = daemon.socket_dir
    if options:
        told.extensions.add().value.MergeFromString(legacy_parameters(options))
    return told.SerializeToString()


def _level(level: int) -> int:
    """INFO is 0 there, and a step is 4 instead of 10 (bootstrap.proto)."""
    return (min(max(level, logging.DEBUG), logging.ERROR) - logging.INFO) * 4 // 10


def legacy_parameters(options: Payload | None) -> bytes:
    """Standard input of a shim before 2.3: an Any, or nothing."""
    from google.protobuf.any_pb2 import Any

    return Any(type_url=options.type_url, value=options.value).SerializeToString() if options else b""


def answer(output: bytes) -> Endpoint:
    """Where the shim listens. Raises errors.InvalidArgument for what is no answer, errors.Unimplemented for a protocol
    or a version that is not spoken here."""
    return endpoint(*(_from_protobuf(output) or _from_json(output) or _from_text(output)))


def endpoint(version: int, address: str, protocol: str) -> Endpoint:
    """What three words mean that describe a shim. Raises as ``answer``."""
    if protocol.lower() not in PROTOCOLS:
        raise errors.Unimplemented(f'shim protocol "{protocol}": not implemented', hint="use a shim that speaks ttrpc")
    if version not in VERSIONS or (protocol.lower() == "grpc" and version < GRPC_SINCE):
        raise errors.Unimplemented(f"shim version {version}: not implemented")
    return Endpoint(_absolute(address), version, protocol=protocol.lower())


def _absolute(address: str) -> str:
    """Abstract sockets are nobody's, and a relative path would lead wherever the daemon happens to be."""
    path = sockets.path_of(address)
    if not path.is_absolute():
        raise errors.InvalidArgument(f'shim address "{address}": not an absolute path: invalid argument')
    return str(path)


def deletion(output: bytes) -> shim_v3.DeleteResponse:
    """What ``<shim> delete`` prints. Raises errors.InvalidArgument."""
    try:
        return shim_v3.DeleteResponse.FromString(output)
    except DecodeError as error:
        raise errors.InvalidArgument(f"shim delete: answer is no DeleteResponse: {error}: invalid argument") from error


def _from_protobuf(output: bytes) -> tuple[int, str, str] | None:
    """None for bytes that only happen to decode: nearly any text is some protobuf message."""
    try:
        result = bootstrap.BootstrapResult.FromString(output)
    except DecodeError:
        return None
    plausible = result.version > 0 and result.protocol.lower() in PROTOCOLS and result.address
    return (result.version, result.address, result.protocol) if plausible else None


def _from_json(output: bytes) -> tuple[int, str, str] | None:
    try:
        result = json.loads(output)
    except (ValueError, RecursionError):
        return None
    if not isinstance(result, dict) or not isinstance(result.get("version"), int) or result["version"] < 2:
        return None
    return result["version"], str(result.get("address", "")), str(result.get("protocol", "ttrpc"))


def _from_text(output: bytes) -> tuple[int, str, str]:
    text = output.decode("utf-8", "replace").strip()
    if not text.startswith(("unix://", "/")) or "\n" in text:
        raise errors.InvalidArgument(f'shim answered "{text[:200]}": not an address: invalid argument')
    return 2, text, "ttrpc"
