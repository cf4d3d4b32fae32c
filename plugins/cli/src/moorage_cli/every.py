"""One operation for several names: all are tried, each failure is shown, one is enough to fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import click

from moorage_cli import failures
from moorage_sdk import errors


async def each(names: Iterable[str], work: Callable[[str], Awaitable[object]]) -> int:
    """Print every name that worked out; the exit code."""
    code = 0
    for name in names:
        try:
            await work(name)
        except errors.Error as error:
            failures.show(error.message, error.hint)
            code = failures.FAILED
        else:
            click.echo(name)
    return code
