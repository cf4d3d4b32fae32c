"""From the stdio of a request to open streams: log URIs, FIFOs, files and terminals."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from moorage_runtime_runc import entries, fifos, log_files, loggers, uris
from moorage_runtime_runc.descriptors import Descriptors
from moorage_runtime_runc.entries import Format, Raw
from moorage_runtime_runc.flows import OUTPUTS
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.loggers import Logger
from moorage_runtime_runc.streams import Owner, Streams
from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors
from moorage_sdk.tasks import Stdio


async def open_streams(
    stdio: Stdio,
    owner: Owner,
    host: Host,
    *,
    relay: bool = False,
    lasting: bool = False,
    changed: Callable[[], None] | None = None,
) -> Streams:
    """Open everything that ``stdio`` names; waits for the client's readers. Nothing stays open when it raises.

    With ``relay`` the process gets pipes, with ``lasting`` such that it can go on writing to when nobody reads.
    ``changed`` is that of ``Streams``, and is told once of all that is held by then.

    Raises errors.InvalidArgument for an unknown scheme, errors.DeadlineExceeded, errors.NotFound, errors.Error.
    """
    streams = Streams(changed)
    try:
        await _Opening(streams, stdio, owner, relay, lasting).open(host)
        streams.tell()
    except OSError as error:
        await streams.close()
        raise errors.Error(f'stdio "{error.filename}": {error.strerror}') from error
    except BaseException:
        await streams.close()
        raise
    return streams


class _Opening:
    def __init__(self, streams: Streams, stdio: Stdio, owner: Owner, relay: bool, lasting: bool) -> None:
        self._streams = streams
        self._stdio = stdio
        self._owner = owner
        self._relay = relay
        self._lasting = lasting

    async def open(self, host: Host) -> None:
        """stdout decides for both outputs, as in createIO of process/io.go."""
        if self._stdio.terminal:
            self._streams.use_terminal()
        uri = uris.parse(self._stdio.stdout)
        if uri is None or uri.scheme == "fifo":
            await self._fifos()
        elif uri.scheme in ("binary", "binary-v2"):
            self._logger(await loggers.start(uri, self._owner.namespace, self._owner.id, host.reaper, host.spawner))
        elif uri.scheme == "file":
            self._file(Path(uri.path))
        elif uri.scheme == "cri-log":
            self._log(uri)
        else:
            raise errors.InvalidArgument(f'stdio "{self._stdio.stdout}": unknown scheme "{uri.scheme}"')
        if self._stdio.stdin:
            self._input(Path(uris.plain(self._stdio.stdin)))

    async def _fifos(self) -> None:
        for name, target in zip(OUTPUTS, (self._stdio.stdout, self._stdio.stderr), strict=True):
            if not target or (self._stdio.terminal and name == "stderr"):
                continue
            sink = await self._sink(name, Path(uris.plain(target)))
            if not self._stdio.terminal and not self._relay:
                self._give(name, sink)
                continue
            self._streams.hold(f"sink-{name}", sink)
            if not self._stdio.terminal:
                self._give(name, self._pipe(name))

    async def _sink(self, name: str, path: Path) -> int:
        """Owned by the caller."""
        if not fifos.is_fifo(path):
            return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        with Descriptors() as ours:
            fd = ours.add(await fifos.open_writer(path))
            self._chown(fd)
            self._streams.hold(name, fifos.open_reader(path))
            return ours.take(fd)

    def _logger(self, logger: Logger) -> None:
        """A terminal is both outputs, and then nobody writes to the second pipe."""
        self._streams.hold("logger", logger.pidfd)
        self._streams.give(2, logger.stderr)
        if self._stdio.terminal:
            self._streams.hold("sink-stdout", logger.stdout)
        else:
            self._streams.give(1, logger.stdout)

    def _file(self, path: Path) -> None:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(path, flags, 0o644)
        if self._stdio.terminal or self._relay:
            self._write_log(fd, Raw())
            return
        self._streams.give(1, fd)
        self._streams.give(2, os.dup(fd))

    def _log(self, uri: Uri) -> None:
        format = entries.of(uri)
        self._write_log(log_files.open_log(Path(uri.path)), format)

    def _write_log(self, fd: int, format: Format) -> None:
        self._streams.use_log(fd, format)
        if self._stdio.terminal:
            # splice(2) needs a pipe on one side, and refuses files that are appended to.
            self._streams.hold("sink-stdout", self._pipe("stdout"))
            return
        for name in OUTPUTS:
            self._give(name, self._pipe(name))

    def _pipe(self, name: str) -> int:
        """The write end of a new pipe whose read end is held; owned by the caller."""
        read, write = os.pipe2(os.O_CLOEXEC)
        self._streams.hold(f"pipe-{name}", read)
        if not self._lasting or self._stdio.terminal:
            return write
        # It reads as well, so there is a reader for as long as it lives, and the next monitor finds the pipe by it.
        # Not so an exec: what that leaves in the background would block for ever where it should get SIGPIPE.
        try:
            return os.open(f"/proc/self/fd/{write}", os.O_RDWR | os.O_CLOEXEC)
        finally:
            os.close(write)

    def _input(self, path: Path) -> None:
        """Feed the process from a FIFO, and hold a write end so that a client that reconnects is no end of input."""
        relay = self._relay or self._stdio.terminal
        with Descriptors() as ours:
            fd = ours.add(fifos.open_reader(path, blocking=not relay))
            if fifos.is_fifo(path):
                self._chown(fd)
                writer = fifos.try_writer(path)
                if writer is not None:
                    self._streams.hold("stdin", writer)
            ours.take(fd)
        if not relay:
            self._streams.give(0, fd)
            return
        self._streams.hold("source-stdin", fd)
        if not self._stdio.terminal:
            read, write = os.pipe2(os.O_CLOEXEC)
            self._streams.hold("pipe-stdin", write)
            self._streams.give(0, read)
            self._chown(read)

    def _give(self, name: str, fd: int) -> None:
        self._streams.give(OUTPUTS.index(name) + 1, fd)
        self._chown(fd)

    def _chown(self, fd: int) -> None:
        if self._owner.uid or self._owner.gid:
            os.fchown(fd, self._owner.uid, self._owner.gid)
