"""AppArmor profiles, for containers on kernels that have it."""

from __future__ import annotations

from pathlib import Path

from moorage_sdk import errors

UNCONFINED = "unconfined"

_ENABLED = "sys/module/apparmor/parameters/enabled"
_PROFILES = "sys/kernel/security/apparmor/profiles"


def profile(name: str, root: Path = Path("/")) -> str:
    """``process.apparmorProfile`` for a profile that somebody asked for; "" for ``unconfined``.

    Raises errors.InvalidArgument for no name at all, errors.FailedPrecondition where the kernel has no AppArmor, and
    errors.NotFound for a profile that it was not given.
    """
    if not name or "\0" in name or "\n" in name:
        raise errors.InvalidArgument(f"AppArmor profile {name!r}: malformed: invalid argument")
    if name == UNCONFINED:
        return ""
    if not enabled(root):
        raise errors.FailedPrecondition(f'AppArmor profile "{name}": this kernel has no AppArmor: failed precondition')
    loaded = _loaded(root)
    if loaded is not None and name not in loaded:
        raise errors.NotFound(f'AppArmor profile "{name}": not found', hint="load it with apparmor_parser -r FILE")
    return name


def enabled(root: Path = Path("/")) -> bool:
    """Whether the kernel enforces AppArmor (``pkg/apparmor`` in containerd v2.3)."""
    try:
        return (root / _ENABLED).read_text("ascii").startswith("Y")
    except OSError:
        return False


def _loaded(root: Path) -> frozenset[str] | None:
    """Names of the loaded profiles, each in a line ``name (mode)``; None where securityfs is not mounted."""
    try:
        lines = (root / _PROFILES).read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return frozenset(line.rpartition(" (")[0] for line in lines)
