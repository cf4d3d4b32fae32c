"""The options of a runtime as clients send them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any as Toml
from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from moorage_api.convert import payloads, typeurls
from moorage_api.messages import runc_options, runtime_options
from moorage_runtime_runc.runtimes import DEFAULT_BINARY, CheckpointFlags, Settings
from moorage_sdk import errors
from moorage_sdk.events import Payload

RUNC = "containerd.runc.v1.Options"
GENERIC = "runtimeoptions.v1.Options"

M = TypeVar("M", bound=Message)

_TOML_KEYS = {
    "BinaryName": "binary",
    "Root": "root",
    "SystemdCgroup": "systemd_cgroup",
    "NoPivotRoot": "no_pivot_root",
    "NoNewKeyring": "no_new_keyring",
    "IoUid": "io_uid",
    "IoGid": "io_gid",
    "CriuWorkPath": "criu_work_path",
    "CriuImagePath": "criu_image_path",
    "ShimCgroup": "shim_cgroup",
}
"""Keys of a TOML body: the Go names of runc's options, as CRI's configuration spells them."""


def settings(packed: Any, binary: str = DEFAULT_BINARY) -> Settings:
    """From ``containerd.runc.v1.Options``, or the generic options with a TOML body; an empty Any is the defaults.

    ``binary`` is what is called where they name nothing. Raises errors.InvalidArgument for anything else.
    """
    told = _settings(packed)
    return replace(told, binary=told.binary or binary)


def _settings(packed: Any) -> Settings:
    name = typeurls.full_name(packed)
    if not packed.value and name in ("", RUNC):
        return Settings(binary="")
    if name == RUNC:
        return _from_runc(_decode(runc_options.Options, packed))
    if name == GENERIC:
        return _from_toml(_decode(runtime_options.Options, packed))
    raise errors.InvalidArgument(f'runtime options of type "{packed.type_url}": not known to runc')


def told(options: Payload | None, field: str, key: str) -> str:
    """One text of a client's options: ``field`` of runc's message, ``key`` in TOML. "" for what nobody can read.

    For whoever has to look before the monitor does, which refuses what is wrong.
    """
    if options is None or not options.value:
        return ""
    try:
        found = payloads.decode(options)
    except errors.Error:
        return ""
    if isinstance(found, runc_options.Options):
        return str(getattr(found, field))
    return _told_in_toml(found.config_body, key) if isinstance(found, runtime_options.Options) else ""


def checkpoint_flags(packed: Any) -> tuple[CheckpointFlags, str]:
    """Flags and the work path. Raises errors.InvalidArgument."""
    found = _decode(runc_options.CheckpointOptions, packed)
    flags = CheckpointFlags(
        exit=found.exit,
        open_tcp=found.open_tcp,
        external_unix_sockets=found.external_unix_sockets,
        terminal=found.terminal,
        file_locks=found.file_locks,
        empty_namespaces=tuple(found.empty_namespaces),
        cgroups_mode=found.cgroups_mode,
    )
    return flags, found.work_path


def _from_runc(found: runc_options.Options) -> Settings:
    return Settings(
        binary=found.binary_name,
        root=found.root,
        systemd_cgroup=found.systemd_cgroup,
        no_pivot_root=found.no_pivot_root,
        no_new_keyring=found.no_new_keyring,
        io_uid=found.io_uid,
        io_gid=found.io_gid,
        criu_work_path=found.criu_work_path,
        criu_image_path=found.criu_image_path,
        shim_cgroup=found.shim_cgroup,
    )


def _from_toml(found: runtime_options.Options) -> Settings:
    import tomllib  # rarely needed, and the monitor counts its memory

    try:
        table = tomllib.loads(found.config_body.decode("utf-8"))
    except ValueError as error:
        raise errors.InvalidArgument(f"runtime options: {error}: invalid argument") from error
    values = {name: table[key] for key, name in _TOML_KEYS.items() if key in table}
    _check_types(values)
    return Settings(**{"binary": "", **values})


def _told_in_toml(body: bytes, key: str) -> str:
    import tomllib

    try:
        found = tomllib.loads(body.decode()).get(key, "")
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _check_types(values: Mapping[str, Toml]) -> None:
    defaults = Settings()
    for name, value in values.items():
        if type(value) is not type(getattr(defaults, name)):
            raise errors.InvalidArgument(f'runtime option "{name}": {value!r} has the wrong type: invalid argument')


def _decode(kind: type[M], packed: Any) -> M:
    try:
        return kind.FromString(packed.value)
    except DecodeError as error:
        raise errors.InvalidArgument(f'options of type "{packed.type_url}": {error}: invalid argument') from error
