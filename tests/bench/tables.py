"""Rows of results, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One quantity: ours, containerd's (None: nothing to compare with), and what we aim at."""

    name: str
    unit: str
    ours: float
    theirs: float | None = None
    aim: str = ""

    @property
    def ratio(self) -> str:
        return f"{self.ours / self.theirs:.2f}" if self.theirs else "-"


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that ``percent`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def format(rows: Iterable[Row]) -> str:
    head = f"{'':<44} {'moorage':>10} {'containerd':>10} {'ratio':>6}  aim\n"
    return head + "".join(
        f"{f'{row.name} [{row.unit}]':<44} {row.ours:>10.2f} "
        f"{'-' if row.theirs is None else format_number(row.theirs):>10} {row.ratio:>6}  {row.aim}\n"
        for row in rows
    )


def format_number(value: float) -> str:
    return f"{value:.2f}"
