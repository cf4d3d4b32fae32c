"""Seccomp profiles that people bring: those of the OCI runtime specification, and Docker's, which have conditions.

Docker's rules can depend on capabilities, architecture and kernel; what remains of them is OCI's (``profiles/seccomp``
of Moby).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moorage_sdk import errors
from moorage_specs import fields
from moorage_specs.seccomp import Facts

_NATIVE = {
    "386": "SCMP_ARCH_X86",
    "amd64": "SCMP_ARCH_X86_64",
    "arm": "SCMP_ARCH_ARM",
    "arm64": "SCMP_ARCH_AARCH64",
    "loong64": "SCMP_ARCH_LOONGARCH64",
    "mips64": "SCMP_ARCH_MIPS64",
    "mips64le": "SCMP_ARCH_MIPSEL64",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "riscv64": "SCMP_ARCH_RISCV64",
    "s390x": "SCMP_ARCH_S390X",
}
_OWN = frozenset({"name", "comment", "includes", "excludes"})
"""Fields of a rule that OCI's do not have."""

_VERSION = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})", re.ASCII)


def resolved(document: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """``linux.seccomp`` of a specification. Raises errors.InvalidArgument for a document that is no profile."""
    result = {key: value for key, value in document.items() if key not in ("archMap", "syscalls")}
    if document.get("archMap"):
        if document.get("architectures"):
            raise _wrong("has both architectures and archMap")
        result["architectures"] = _architectures(document["archMap"], facts.architecture)
    rules = document.get("syscalls") or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise _wrong("syscalls is no list of rules")
    result["syscalls"] = [_plain(rule) for rule in rules if _applies(rule, facts)]
    return result


def _architectures(entries: Any, architecture: str) -> list[str]:
    native = _NATIVE.get(architecture)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and native and entry.get("architecture") == native:
            return [native, *fields.string_list(entry.get("subArchitectures"))]
    return []


def _applies(rule: Mapping[str, Any], facts: Facts) -> bool:
    includes, excludes = _condition(rule, "includes"), _condition(rule, "excludes")
    machine = "x86" if facts.architecture == "386" else facts.architecture
    arches = fields.string_list(includes.get("arches"))
    return (
        set(fields.string_list(includes.get("caps"))) <= facts.capabilities
        and not set(fields.string_list(excludes.get("caps"))) & facts.capabilities
        and (not arches or machine in arches)
        and machine not in fields.string_list(excludes.get("arches"))
        and not facts.kernel < _kernel(includes)
        and not ("minKernel" in excludes and facts.kernel >= _kernel(excludes))
    )


def _condition(rule: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = rule.get(name) or {}
    if not isinstance(found, dict):
        raise _wrong(f"{name} of a rule is no object")
    return found


def _kernel(condition: Mapping[str, Any]) -> tuple[int, int]:
    if not condition.get("minKernel"):
        return 0, 0
    found = _VERSION.fullmatch(fields.text(condition["minKernel"]))
    if not found:
        raise _wrong(f"minKernel {condition['minKernel']!r} is no version")
    return int(found[1]), int(found[2])


def _plain(rule: Mapping[str, Any]) -> dict[str, Any]:
    """One rule without conditions; an old one names a single call."""
    names = fields.string_list(rule.get("names"))
    name = fields.text(rule.get("name"))
    if bool(name) == bool(names) or not fields.text(rule.get("action")):
        raise _wrong("a rule needs an action, and either names or a name")
    kept = {key: value for key, value in rule.items() if key not in _OWN and value is not None}
    return {**kept, "names": list(names or (name,))}


def _wrong(reason: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f"seccomp profile: {reason}: invalid argument")
