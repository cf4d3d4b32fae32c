"""Progress of a transfer: a bar per layer on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from moorage_cli import tables
from moorage_sdk.transfers import Progress

Report = Callable[[Progress], None]

_FINISHED = frozenset({"complete", "done", "already exists", "extracting", "extracted"})
"""What comes behind the last byte of a blob, in the words of core/transfer/local in containerd v2.3."""

_WIDE = 72
"""Columns below which bar, rate and total leave no room for what matters: which layer, what it does, how far it is."""

_UNSAID = frozenset({"", "waiting"})


@contextmanager
def display(title: str, *, stderr: bool = False, quiet: bool = False, doing: str = "pulling") -> Iterator[Report]:
    """Receives what a transfer reports, for the length of a ``with`` block."""
    stream = sys.stderr if stderr else sys.stdout
    if quiet:
        yield lambda progress: None
    elif stream.isatty():
        with _bars(title, stream) as report:
            yield report
    else:
        yield Lines(title, stream, doing)


class Lines:
    """A line when something changes its state, none for the bytes in between."""

    def __init__(self, title: str, stream: TextIO, doing: str = "pulling") -> None:
        self._stream = stream
        self._states: dict[str, str] = {}
        self._say(f"{title}: {doing}")

    def __call__(self, progress: Progress) -> None:
        if progress.event in _UNSAID:
            return
        name = short(progress.name)
        if self._states.get(name) == progress.event:
            return
        self._states[name] = progress.event
        amount = f" {tables.size(progress.total)}" if progress.total else ""
        self._say(f"{name}: {progress.event}{amount}" if name else progress.event)

    def _say(self, line: str) -> None:
        print(tables.clean(line), file=self._stream, flush=True)


@contextmanager
def _bars(title: str, stream: TextIO) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    def text(format: str) -> TextColumn:
        return TextColumn(format, markup=False, table_column=Column(no_wrap=True))

    console = Console(file=stream)
    wide = console.width >= _WIDE
    columns = (
        text("{task.description}"),
        text("{task.fields[event]}"),
        *((BarColumn(bar_width=20),) if wide else ()),
        text("{task.fields[amount]}"),
        *((TransferSpeedColumn(table_column=Column(no_wrap=True)),) if wide else ()),
    )
    console.print(tables.clean(title), highlight=False, markup=False)
    with Bars(*columns, console=console) as bars:
        rows: dict[str, Any] = {}

        def report(progress: Progress) -> None:
            """A row for what has bytes to count; the rest is said by how these fare."""
            name = short(progress.name)
            if not progress.total:
                return
            if name not in rows:
                rows[name] = bars.add_task(tables.clean(name), total=progress.total, event="", amount="")
            done = progress.total if progress.event in _FINISHED else progress.progress
            amount = tables.size(done) + (f" of {tables.size(progress.total)}" if wide else "")
            event = tables.clean(progress.event)
            bars.update(rows[name], event=event, amount=amount, total=progress.total, completed=done)

        yield report


def short(name: str) -> str:
    """``layer-sha256:0123456789ab…`` for a blob's reference, other names as they are."""
    head, colon, digest = name.partition("sha256:")
    return f"{head}{digest[:12]}" if colon and len(digest) >= 12 else name
