"""The seccomp profile that containers get by default: which system calls the kernel refuses them.

Decisions are those of ``contrib/seccomp/seccomp_default.go`` in containerd v2.3.4. Names are in ``syscalls``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moorage_specs import syscalls

ALLOW, REFUSE = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"

ARCHITECTURES = {
    "amd64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "arm64": ("SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64"),
    "loong64": ("SCMP_ARCH_LOONGARCH64",),
    "mips64": ("SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32"),
    "riscv64": ("SCMP_ARCH_RISCV64",),
    "s390x": ("SCMP_ARCH_S390", "SCMP_ARCH_S390X"),
}
"""What a kernel runs beside its own, by Go's name of the machine. For others the runtime takes the native one."""

PERSONALITIES = (0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""linux/personality.h: PER_LINUX, PER_LINUX32, UNAME26, both, and the question what is set."""

NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
"""linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""

AF_ALG, AF_VSOCK = 38, 40
"""linux/socket.h; as plain numbers, for a profile is a document."""

_TRACING_SINCE = (4, 8)


@dataclass(frozen=True)
class Facts:
    """What a profile depends on: the machine by Go's name, the kernel's version, the bounding set by OCI's names."""

    architecture: str
    kernel: tuple[int, int]
    capabilities: frozenset[str] = frozenset()


def profile(facts: Facts) -> dict[str, Any]:
    """``linux.seccomp`` of a specification; whatever it does not name fails with EPERM."""
    architectures = list(ARCHITECTURES.get(facts.architecture, ()))
    return {
        "defaultAction": REFUSE,
        **({"architectures": architectures} if architectures else {}),
        "syscalls": list(_rules(facts)),
    }


def _rules(facts: Facts) -> Iterator[dict[str, Any]]:
    yield _allow(" ".join(syscalls.ALWAYS.values()))
    yield from _sockets()
    yield from (_allow("personality", 0, value, "SCMP_CMP_EQ") for value in PERSONALITIES)
    if facts.kernel >= _TRACING_SINCE:
        yield _allow(syscalls.TRACING)
    if names := syscalls.ON_ARCHITECTURE.get(facts.architecture):
        yield _allow(names)
    yield from (_allow(names) for held, names in syscalls.WITH_CAPABILITY.items() if held in facts.capabilities)
    if "CAP_SYS_ADMIN" not in facts.capabilities:
        yield from _clones(facts.architecture)


def _sockets() -> Iterator[dict[str, Any]]:
    """All families but AF_ALG and AF_VSOCK, which leads to the hypervisor.

    They are three ranges that leave the two out: runc makes an "or" of two conditions for one argument, so "neither
    this nor that" would allow both, and a refusal beside a wider permission may never be reached in libseccomp.
    """
    yield _allow("socket", 0, AF_ALG, "SCMP_CMP_LT")
    for family in range(AF_ALG + 1, AF_VSOCK):
        yield _allow("socket", 0, family, "SCMP_CMP_EQ")
    yield _allow("socket", 0, AF_VSOCK, "SCMP_CMP_GT")


def _clones(architecture: str) -> Iterator[dict[str, Any]]:
    """Processes and threads, but no namespaces."""
    flags = 1 if architecture in ("s390", "s390x") else 0  # where the kernel takes the stack first
    yield _allow("clone", flags, NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ")
    # Its flags lie in memory, where no filter can look. "No such call" makes libraries fall back on clone.
    yield {"names": ["clone3"], "action": REFUSE, "errnoRet": errno.ENOSYS}


def _allow(names: str, index: int | None = None, value: int = 0, operator: str = "") -> dict[str, Any]:
    """A masked comparison is with 0: none of the bits may be set."""
    rule: dict[str, Any] = {"names": names.split(), "action": ALLOW}
    if index is not None:
        rule["args"] = [{"index": index, "value": value, "op": operator}]
    return rule


def bounding(process: dict[str, Any]) -> frozenset[str]:
    """The bounding set of a specification's process."""
    names: Iterable[str] = (process.get("capabilities") or {}).get("bounding") or ()
    return frozenset(names)
