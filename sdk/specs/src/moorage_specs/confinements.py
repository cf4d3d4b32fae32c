"""What keeps a container in beside namespaces and capabilities, as people type it after ``--security-opt``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage_sdk import errors
from moorage_specs import apparmor, selinux

UNCONFINED: Mapping[str, Any] = {}
"""A seccomp profile that is none: the empty document."""

_SIZE = 4 << 20
"""Bytes of a seccomp profile; Docker's own has 15 KiB."""


@dataclass(frozen=True)
class Confinement:
    """None for ``seccomp`` is the default profile, or none for a privileged container; a document replaces it.

    None for ``no_new_privileges`` is yes, or no for a privileged container.
    """

    seccomp: Mapping[str, Any] | None = None
    apparmor: str = ""
    labels: selinux.Labels = field(default_factory=selinux.Labels)
    no_new_privileges: bool | None = None


def parse(options: Iterable[str], root: Path = Path("/")) -> Confinement:
    """``seccomp=unconfined|FILE``, ``apparmor=NAME``, ``label=…`` and ``no-new-privileges[=true|false]``.

    A colon does for the first equals sign, as with Docker. ``root`` is where the host's files are. Raises
    errors.InvalidArgument for what is none of these, and as ``apparmor.profile`` and ``selinux.labels``.
    """
    seccomp: Mapping[str, Any] | None = None
    profile, labels, privileges = "", [], None
    for option in options:
        name, value = _split(option)
        if name == "seccomp" and value:
            seccomp = UNCONFINED if value == "unconfined" else _read(Path(value))
        elif name == "apparmor" and value:
            profile = apparmor.profile(value, root)
        elif name == "label" and value:
            labels.append(value)
        elif name == "no-new-privileges" and value in ("", "true", "false"):
            privileges = value != "false"
        else:
            raise errors.InvalidArgument(
                f'security option "{option}": unknown: invalid argument',
                hint="seccomp=unconfined|FILE, apparmor=NAME, label=disable|PART:VALUE, no-new-privileges",
            )
    return Confinement(seccomp, profile, selinux.labels(labels, root), privileges)


def _split(option: str) -> tuple[str, str]:
    """``name=value`` or ``name:value``, whichever sign comes first: ``label=type:spc_t`` has both."""
    ends = [option.index(sign) for sign in "=:" if sign in option]
    end = min(ends, default=len(option))
    return option[:end], option[end + 1 :]


def _read(path: Path) -> Mapping[str, Any]:
    subject = f'seccomp profile "{path}"'
    try:
        with open(path, "rb") as file:
            data = file.read(_SIZE + 1)
    except OSError as error:
        raise errors.InvalidArgument(f"{subject}: {error.strerror}: invalid argument") from None
    if len(data) > _SIZE:
        raise errors.InvalidArgument(f"{subject}: larger than {_SIZE} bytes: invalid argument")
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f"{subject}: {error}: invalid argument") from None
    if not isinstance(found, dict) or not isinstance(found.get("defaultAction"), str):
        raise errors.InvalidArgument(f"{subject}: has no default action: invalid argument")
    return found
