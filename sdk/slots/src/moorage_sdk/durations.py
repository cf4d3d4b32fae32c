"""Durations as Go writes them (``100ms``, ``1h2m0.5s``), which is how containerd's configuration has them.

Syntax and printing are those of ``time.ParseDuration`` and ``time.Duration.String`` in Go's standard library.
"""

from __future__ import annotations

import re
from typing import Self

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "\N{GREEK SMALL LETTER MU}s": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_WHOLE = re.compile(rf"[-+]?(?:0|(?:{_PART.pattern})+)")
_LIMIT = 2**63 - 1


class Duration(float):
    """Seconds. A plain number everywhere, but printed and parsed in Go's syntax."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read Go's syntax. Raises ValueError, also for what lies outside 64 bits of nanoseconds."""
        if not _WHOLE.fullmatch(text):
            raise ValueError(f'duration "{text}": must be numbers with units, such as "100ms" or "1h30m"')
        total = sum(_nanoseconds(number, unit) for number, unit in _PART.findall(text))
        if total > _LIMIT:
            raise ValueError(f'duration "{text}": longer than 64 bits of nanoseconds')
        return cls((-total if text.startswith("-") else total) / 1e9)

    @property
    def nanoseconds(self) -> int:
        return round(float(self) * 1e9)

    def __str__(self) -> str:
        total = abs(self.nanoseconds)
        sign = "-" if self.nanoseconds < 0 else ""
        if total == 0:
            return "0s"
        for unit in ("ns", "us", "ms"):
            if total < _NANOSECONDS[unit] * 1000:
                shown = "\N{MICRO SIGN}s" if unit == "us" else unit
                return sign + _decimal(total, _NANOSECONDS[unit]) + shown
        minutes, rest = divmod(total, _NANOSECONDS["m"])
        hours, minutes = divmod(minutes, 60)
        parts = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
        return sign + parts + _decimal(rest, _NANOSECONDS["s"]) + "s"

    def __repr__(self) -> str:
        return f'Duration("{self}")'


def _nanoseconds(number: str, unit: str) -> int:
    whole, _, fraction = number.partition(".")
    scale = _NANOSECONDS[unit]
    return int(whole or "0") * scale + (int(fraction) * scale // 10 ** len(fraction) if fraction else 0)


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0") if rest else str(whole)
