"""From the stdio of a request to open streams: log URIs, FIFOs, files and terminals."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from moorage_runtime_runc import loggers, uris
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.streams import Owner, Streams
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio


async def open_streams(
    stdio: Stdio, owner: Owner, host: Host, *, relay: bool = False, changed: Callable[[], None] | None = None
) -> Streams:
    """Open everything that ``stdio`` names; waits for the client's readers. Nothing stays open when it raises.

    ``changed`` is that of ``Streams``, and tells also of what is held until then.

    Raises errors.InvalidArgument for an unknown scheme, errors.DeadlineExceeded, errors.NotFound, errors.Error.
    """
    streams = Streams(changed)
    try:
        await _fill(streams, await _resolve(streams, stdio, owner, host), owner, relay)
    except OSError as error:
        await streams.close()
        raise errors.Error(f'stdio "{error.filename}": {error.strerror}') from error
    except BaseException:
        await streams.close()
        raise
    return streams


async def _resolve(streams: Streams, stdio: Stdio, owner: Owner, host: Host) -> Stdio:
    """The same with plain paths only. A log program is started; stdout decides, as in createIO of process/io.go."""
    uri = uris.parse(stdio.stdout)
    stdin = uris.plain(stdio.stdin)
    if uri is None or uri.scheme == "fifo":
        return Stdio(stdin, uris.plain(stdio.stdout), uris.plain(stdio.stderr), stdio.terminal)
    if uri.scheme in ("binary", "binary-v2"):
        logger = await loggers.start(uri, owner.namespace, owner.id, host.reaper, host.spawner)
        streams.use_logger(logger, terminal=stdio.terminal)
        return Stdio(stdin=stdin, terminal=stdio.terminal)
    if uri.scheme == "file":
        _make_file(Path(uri.path))
        return Stdio(stdin, uri.path, "" if stdio.terminal else uri.path, stdio.terminal)
    raise errors.InvalidArgument(f'stdio "{stdio.stdout}": unknown scheme "{uri.scheme}"')


async def _fill(streams: Streams, plain: Stdio, owner: Owner, relay: bool) -> None:
    if plain.terminal:
        await streams.prepare_terminal(plain, owner)
        return
    if plain.stdin:
        streams.add_input(plain.stdin, owner, relay=relay)
    for number, target in ((1, plain.stdout), (2, plain.stderr)):
        if target:
            await streams.add_output(number, target, owner, relay=relay)


def _make_file(path: Path) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644))
