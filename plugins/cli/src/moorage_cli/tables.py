"""Columns for people, lines for programs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def show(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their widest cell, three blanks apart."""
    cells = [list(headings), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_json(values: Iterable[Any]) -> None:
    """One JSON value per line."""
    for value in values:
        click.echo(json.dumps(value, ensure_ascii=False))


def clean(text: str) -> str:
    """Without control characters: names and messages come from images, and must not drive the terminal."""
    return _CONTROL.sub("�", text)


def size(count: float) -> str:
    """``12.3 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def ago(nanoseconds: int) -> str:
    """How long ago an instant was; "" for never."""
    return f"{duration(time.time() - nanoseconds / 1e9)} ago" if nanoseconds else ""


def duration(seconds: float) -> str:
    """In the largest unit that fits: ``5 minutes``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return _counted(int(seconds // length), unit)
    return _counted(max(0, int(seconds)), "second")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
