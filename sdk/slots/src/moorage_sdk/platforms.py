"""Platforms: which image of an index fits which machine.

Normal forms and the order of preference are those of ``github.com/containerd/platforms``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from moorage_sdk import errors

_PART = re.compile(r"[A-Za-z0-9_.-]+")

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armv6l": ("arm", "v6"),
    "armv7l": ("arm", "v7"),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "ppc64el": ("ppc64le", ""),
}

_GO_ARCHITECTURES = frozenset(
    {"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x", "wasm"}
)


@dataclass(frozen=True)
class Platform:
    """``os/architecture/variant`` in Go's words; empty parts are unknown."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def normalize(platform: Platform) -> Platform:
    """The canonical spelling: lower case, Go's architecture names, the default variants left out or filled in."""
    system = platform.os.lower() or "linux"
    architecture = platform.architecture.lower()
    architecture, implied = _ARCHITECTURES.get(architecture, (architecture, ""))
    variant = platform.variant.lower() or implied
    if architecture == "arm64" and variant in ("8", "v8"):
        variant = ""
    if architecture == "arm":
        variant = {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"}.get(variant, variant)
    if architecture == "amd64" and variant == "v1":
        variant = ""
    return Platform(system, architecture, variant, platform.os_version)


def host() -> Platform:
    """The platform of this machine."""
    return normalize(Platform("linux", os.uname().machine))


def parse(specifier: str) -> Platform:
    """Read ``os``, ``architecture`` or ``os/architecture[/variant]``. Raises errors.InvalidArgument."""
    parts = specifier.split("/")
    if not 1 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
        raise errors.InvalidArgument(f'platform "{specifier}": must be os/architecture[/variant]: invalid argument')
    if len(parts) == 1:
        here = host()
        if parts[0] in _ARCHITECTURES or parts[0] in _GO_ARCHITECTURES:
            return normalize(Platform("linux", parts[0]))
        return normalize(Platform(parts[0], here.architecture, here.variant))
    return normalize(Platform(*parts))


def preference(wanted: Platform, offered: Platform) -> int | None:
    """How well ``offered`` serves ``wanted``: 0 is exact, larger is worse, None is not at all.

    An arm machine also runs older variants, an arm64 machine arm binaries, an amd64 machine 386 ones.
    """
    want, offer = normalize(wanted), normalize(offered)
    if want.os != offer.os:
        return None
    for rank, (architecture, variant) in enumerate(_runs(want)):
        if (offer.architecture, offer.variant) == (architecture, variant):
            return rank
    return None


def rank(wanted: Sequence[Platform], offered: Platform | None) -> int:
    """The place of the one of ``wanted`` that is exactly ``offered``, their number for none (``platforms.Ordered``)."""
    found = (place for place, platform in enumerate(wanted) if offered is not None and _same(platform, offered))
    return next(found, len(wanted))


def _same(wanted: Platform, offered: Platform) -> bool:
    want, offer = normalize(wanted), normalize(offered)
    alike = (want.os, want.architecture, want.variant) == (offer.os, offer.architecture, offer.variant)
    return alike and want.os_version in ("", offer.os_version)


def _runs(platform: Platform) -> list[tuple[str, str]]:
    arm = [("arm", f"v{version}") for version in (8, 7, 6, 5)]
    match platform.architecture:
        case "arm":
            return arm[arm.index(("arm", platform.variant)) :] if ("arm", platform.variant) in arm else arm
        case "arm64":
            return [("arm64", platform.variant), *([("arm64", "")] if platform.variant else []), *arm]
        case "amd64":
            levels = ["v4", "v3", "v2", ""]
            usable = levels[levels.index(platform.variant) :] if platform.variant in levels else [""]
            return [*(("amd64", level) for level in usable), ("386", "")]
        case _:
            return [(platform.architecture, platform.variant)]
