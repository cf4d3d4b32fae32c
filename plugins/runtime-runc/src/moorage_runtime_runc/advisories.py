"""Which faults of runc and crun, through which containers got out, a version still has.

Read off the advisories of both projects (github.com/opencontainers/runc/security, github.com/containers/crun/security).
A distribution may have mended an old version without counting it up: its versions have a word of their own behind the
number, and only its own pages say what it mended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FIXES = {
    "runc": {
        "CVE-2019-5736": "1.0.0-rc7",
        "CVE-2019-16884": "1.0.0-rc9",
        "CVE-2019-19921": "1.0.0-rc10",
        "CVE-2021-30465": "1.0.0-rc95",
        "CVE-2021-43784": "1.0.3",
        "CVE-2022-29162": "1.1.2",
        "CVE-2023-27561": "1.1.5",
        "CVE-2023-28642": "1.1.5",
        "CVE-2024-21626": "1.1.12",
        "CVE-2024-45310": "1.1.14 1.2.0-rc.3",
        "CVE-2025-31133": "1.2.8 1.3.3 1.4.0-rc.3",
        "CVE-2025-52565": "1.2.8 1.3.3 1.4.0-rc.3",
        "CVE-2025-52881": "1.2.8 1.3.3 1.4.0-rc.3",
        "CVE-2026-41579": "1.3.6 1.4.3 1.5.0-rc.3",
    },
    "crun": {
        "CVE-2022-27650": "1.4.4",
        "CVE-2025-24965": "1.20",
    },
}
"""For each fault the first version without it, of each line that was mended. Later lines never had it."""

_REPORT = re.compile(r"(runc|crun) version (\S+)")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-~]rc\.?(\d{1,4}))?(.*)", re.ASCII)
_FINAL = 1 << 16
"""The number of a release among its candidates."""

_Number = tuple[int, int, int, int]


@dataclass(frozen=True)
class Version:
    """``name`` is runc or crun, ``number`` has four parts, the last for candidates. ``patched``: not upstream's own."""

    name: str
    text: str
    number: _Number
    patched: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The faults whose mending this version is too old for, oldest first."""
        return tuple(id for id, fixes in FIXES[self.name].items() if not _mended(self.number, fixes.split()))


def read(report: str) -> Version | None:
    """From what ``--version`` prints; None for programs that are neither, or say nothing that is a version."""
    lines = report.strip().splitlines()
    told = _REPORT.fullmatch(lines[0].strip()) if lines else None
    parts = _VERSION.fullmatch(told[2]) if told else None
    if told is None or parts is None:
        return None
    return Version(told[1], told[2], _number(parts), bool(parts[5]))


def _mended(number: _Number, fixes: list[str]) -> bool:
    """By the fix of its own line, or for being of a later line than all that needed one."""
    firsts = [_number(found) for fix in fixes if (found := _VERSION.fullmatch(fix))]
    same = [first for first in firsts if first[:2] == number[:2]]
    return number >= min(same) if same else number > max(firsts)


def _number(parts: re.Match[str]) -> _Number:
    return int(parts[1]), int(parts[2]), int(parts[3] or 0), int(parts[4] or _FINAL)
