"""Starting other programs, without a fork of ours and with nothing inherited but what is asked for."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

DROPPED = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID")
"""systemd's variables for the daemon: runc would pass the first two on into the container."""

FILES = "MOORAGE_RLIMIT_NOFILE"
"""``soft:hard`` as the daemon was given it, which raises its own limit before it starts us (core/processes.py)."""

_ABOVE = 64
"""Descriptors are lifted above this before they are given their numbers, so that none overwrites another."""

_PLACES = 8
"""More descriptors than any program of ours is given."""


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """What the programs we start get to see of our own environment."""
    return {name: value for name, value in base.items() if name not in DROPPED}


class Spawner:
    """Starts programs with the limit of open files that this process, or its daemon, was itself started with."""

    def __init__(self, env: Mapping[str, str] | None = None, files: tuple[int, int] | None = None) -> None:
        base = os.environ if env is None else env
        self._env = {name: value for name, value in environment(base).items() if name != FILES}
        self._files = files or _told(base.get(FILES, "")) or resource.getrlimit(resource.RLIMIT_NOFILE)
        self._places: tuple[int, ...] = ()

    @property
    def env(self) -> Mapping[str, str]:
        """What programs are started with if nothing else is said."""
        return self._env

    @property
    def files(self) -> tuple[int, int]:
        """The soft and the hard limit of open files that programs are started with."""
        return self._files

    def raise_limit(self) -> None:
        """Raise our own soft limit to the hard one; what we start gets the original back.

        To be called early, while there are numbers below the original limit: posix_spawn(3) takes no others.
        """
        _, hard = self._files
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if not self._places:
            self._places = tuple(fcntl.fcntl(_null(), fcntl.F_DUPFD_CLOEXEC, _ABOVE) for _ in range(_PLACES))

    def spawn(
        self,
        argv: Sequence[str],
        descriptors: Mapping[int, int | None],
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> int:
        """Start a program, looked up in PATH, and return its pid.

        ``descriptors`` maps its numbers to our descriptors, None to /dev/null; 0, 1 and 2 are /dev/null by default.
        Everything else is close-on-exec. It works in ``folder``, or where we do without one or if that is gone.
        Raises OSError, also when the program cannot be executed.
        """
        wanted = {0: None, 1: None, 2: None, **descriptors}
        places = iter(self._places)
        with contextlib.ExitStack() as lifted:
            actions = [_action(number, fd, next(places, None), lifted) for number, fd in sorted(wanted.items())]
            with self._original_limit(), _inside(folder):
                return os.posix_spawnp(
                    argv[0],
                    list(argv),
                    dict(self._env if env is None else env),
                    file_actions=actions,
                    setsigmask=[],
                    setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # ignored by Python, which exec(2) would hand on
                )

    @contextlib.contextmanager
    def _original_limit(self) -> Iterator[None]:
        # prlimit(2) on the child would come too late: Go's runtime takes note of the limit as it starts, and runc
        # hands that on. So ours is lowered for the length of the call, during which this thread opens nothing.
        now = resource.getrlimit(resource.RLIMIT_NOFILE)
        if now == self._files:
            yield
            return
        resource.setrlimit(resource.RLIMIT_NOFILE, self._files)
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, now)


def _told(text: str) -> tuple[int, int] | None:
    soft, _, hard = text.partition(":")
    try:
        return int(soft), int(hard)
    except ValueError:
        return None


@contextlib.contextmanager
def _inside(folder: Path | None) -> Iterator[None]:
    # Python's posix_spawn cannot change the directory, so the whole process does, for the length of the call. All
    # paths of ours are absolute, those of other threads as well.
    if folder is None:
        yield
        return
    home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.chdir(folder)
        yield
    finally:
        os.fchdir(home)
        os.close(home)


def _action(
    number: int, fd: int | None, place: int | None, lifted: contextlib.ExitStack
) -> tuple[int, ...] | tuple[int, int, str, int, int]:
    if fd is None:
        return (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY, 0)
    if place is None:
        high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        lifted.callback(os.close, high)
    else:
        high = os.dup2(fd, place, inheritable=False)
        lifted.callback(os.dup2, _null(), place, inheritable=False)
    return (os.POSIX_SPAWN_DUP2, high, number)


@cache
def _null() -> int:
    return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
