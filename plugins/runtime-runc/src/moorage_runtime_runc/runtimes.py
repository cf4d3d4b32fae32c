"""The command line of an OCI runtime: runc, crun, or whatever takes the same arguments.

The arguments are those that go-runc passes (vendor/github.com/containerd/go-runc/runc.go in containerd v2.3).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.spawns import Spawner
from moorage_sdk import errors

DEFAULT_BINARY = "runc"
DEFAULT_ROOT = "/run/containerd/runc"
"""RuncRoot in cmd/containerd-shim-runc-v2/process/utils.go."""

ONE_PROCESSOR = {"GOMAXPROCS": "1"}
"""For runc, whose commands are over in milliseconds: they take 5 % less of two processors, and the more there are the
more threads it would start. Whoever sets it for us knows better. containerd's shims set 2 (runtime/v2/shim/util.go)."""

_MAX_OUTPUT = 64 << 10
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Settings:
    """How the runtime is called for one container. ``binary`` is a name in PATH or an absolute path."""

    binary: str = DEFAULT_BINARY
    root: str = DEFAULT_ROOT
    systemd_cgroup: bool = False
    no_pivot_root: bool = False
    no_new_keyring: bool = False
    io_uid: int = 0
    io_gid: int = 0
    criu_work_path: str = ""
    criu_image_path: str = ""
    shim_cgroup: str = ""


@dataclass(frozen=True)
class CheckpointFlags:
    """What ``runc checkpoint`` is told besides the place of the image."""

    exit: bool = False
    open_tcp: bool = False
    external_unix_sockets: bool = False
    terminal: bool = False
    file_locks: bool = False
    empty_namespaces: tuple[str, ...] = ()
    cgroups_mode: str = ""

    def arguments(self) -> list[str]:
        flags = {
            "--leave-running": not self.exit,
            "--tcp-established": self.open_tcp,
            "--ext-unix-sk": self.external_unix_sockets,
            "--shell-job": self.terminal,
            "--file-locks": self.file_locks,
        }
        values = [("--empty-ns", name) for name in self.empty_namespaces]
        values += [("--manage-cgroups-mode", self.cgroups_mode)] if self.cgroups_mode else []
        return [flag for flag, wanted in flags.items() if wanted] + [part for pair in values for part in pair]


class Runtime:
    """The runtime as it is called for one container: ``id`` under ``<root>/<namespace>``, logs in ``bundle``.

    Every method raises errors.Error with ``OCI runtime <verb> failed:`` before the runtime's own last error, whose
    words stay as they are because clients take decisions from them.
    """

    def __init__(self, reaper: Reaper, spawner: Spawner, settings: Settings, namespace: str, id: str, bundle: Path):
        self._reaper = reaper
        self._spawner = spawner
        self._settings = settings
        self._root = str(Path(settings.root or DEFAULT_ROOT, namespace))
        self._id = id
        self._bundle = bundle

    async def create(self, pid_file: Path, stdio: Mapping[int, int | None] | None, console: Path | None) -> None:
        arguments = ["--bundle", str(self._bundle), *self._starting(pid_file, console)]
        arguments += ["--no-new-keyring"] if self._settings.no_new_keyring else []
        await self._run("create", [*arguments, self._id], stdio)

    async def restore(
        self,
        pid_file: Path,
        stdio: Mapping[int, int | None] | None,
        console: Path | None,
        image: str,
        work: str,
        parent: str,
    ) -> None:
        arguments = ["--image-path", image, "--work-path", work, "--detach", "--no-subreaper"]
        arguments += ["--parent-path", parent] if parent else []
        arguments += self._starting(pid_file, console)
        await self._run("restore", [*arguments, "--bundle", str(self._bundle), self._id], stdio)

    async def start(self) -> None:
        await self._run("start", [self._id])

    async def exec(
        self,
        process: Mapping[str, object],
        pid_file: Path,
        stdio: Mapping[int, int | None] | None,
        console: Path | None,
    ) -> None:
        with self._file("exec", "process", json.dumps(process)) as spec:
            arguments = ["--process", str(spec), "--detach", "--pid-file", str(pid_file)]
            arguments += ["--console-socket", str(console)] if console else []
            await self._run("exec", [*arguments, self._id], stdio)

    async def kill(self, number: int, *, all: bool = False) -> None:
        """Raises errors.NotFound when there is nothing left to kill."""
        try:
            await self._run("kill", [*(["--all"] if all else []), self._id, str(number)])
        except errors.Error as error:
            raise _kill_error(error) from error

    async def pause(self) -> None:
        await self._run("pause", [self._id])

    async def resume(self) -> None:
        await self._run("resume", [self._id])

    async def delete(self, *, force: bool = False) -> None:
        """A container that the runtime no longer knows is deleted: after a checkpoint that is the usual case."""
        try:
            await self._run("delete", [*(["--force"] if force else []), self._id])
        except errors.Error as error:
            if "does not exist" not in str(error):
                raise

    async def state(self) -> str:
        """``created``, ``running``, ``paused`` or ``stopped``. Raises errors.Error, also for an answer that is none."""
        with _memory() as output:
            await self._run("state", [self._id], {1: output})
            try:
                return str(json.loads(_output(output))["status"])
            except (ValueError, KeyError, TypeError) as error:
                raise errors.Error(f"OCI runtime state failed: {error}") from error

    async def update(self, resources: bytes) -> None:
        """Raises errors.InvalidArgument for what is no text."""
        try:
            text = resources.decode()
        except UnicodeDecodeError:
            raise errors.InvalidArgument("resources: not UTF-8 text: invalid argument") from None
        with self._file("update", "resources", text) as path:
            await self._run("update", ["--resources", str(path), self._id])

    async def checkpoint(self, image: str, work: str, flags: CheckpointFlags) -> None:
        await self._run("checkpoint", ["--image-path", image, "--work-path", work, *flags.arguments(), self._id])

    def _starting(self, pid_file: Path, console: Path | None) -> list[str]:
        arguments = ["--pid-file", str(pid_file)]
        arguments += ["--console-socket", str(console)] if console else []
        return arguments + (["--no-pivot"] if self._settings.no_pivot_root else [])

    async def _run(self, verb: str, arguments: Sequence[str], stdio: Mapping[int, int | None] | None = None) -> None:
        with self._file(verb, "log", "") as log, _memory() as output:
            options = ["--root", self._root, "--log", str(log), "--log-format", "json"]
            options += ["--systemd-cgroup"] if self._settings.systemd_cgroup else []
            binary = self._settings.binary or DEFAULT_BINARY
            try:
                # In the bundle, as under containerd's shim: runtimes that wrap another look for config.json there.
                argv = [binary, *options, verb, *arguments]
                env = {**ONE_PROCESSOR, **self._spawner.env}
                pid = self._spawner.spawn(argv, stdio or {1: output, 2: output}, env, self._bundle)
            except OSError as error:
                hint = "is it installed?" if isinstance(error, FileNotFoundError) else ""
                raise errors.Error(f'OCI runtime {verb} failed: "{binary}": {error.strerror}', hint=hint) from error
            ended = await self._reaper.watch(pid).ended
            if ended.code:
                reason = _last_error(log) or _output(output) or f"{binary} did not terminate successfully: {ended.code}"
                raise errors.Error(f"OCI runtime {verb} failed: {reason}")

    @contextlib.contextmanager
    def _file(self, verb: str, kind: str, content: str) -> Iterator[Path]:
        """A file in the bundle that lives as long as one command, so that two at a time never share it."""
        path = self._bundle / f".{kind}-{next(_numbers)}.json"
        try:
            _write(path, content)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise errors.Error(f'OCI runtime {verb} failed: "{path}": {error.strerror}') from error
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def _write(path: Path, content: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(content)


@contextlib.contextmanager
def _memory() -> Iterator[int]:
    """A descriptor that takes output without a reader on the other side."""
    fd = os.memfd_create("output", os.MFD_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _output(fd: int) -> str:
    return os.pread(fd, _MAX_OUTPUT, 0).decode("utf-8", "replace").strip()


def _last_error(log: Path) -> str:
    """The message of the last error in a JSON log. Lines that are none of ours or no JSON at all are passed over."""
    found, text = "", ""
    with contextlib.suppress(OSError):  # somebody may have removed the bundle meanwhile
        text = log.read_text("utf-8", "replace")
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("level") == "error":
                found = str(entry.get("msg", "")).strip()
    return found


def _kill_error(error: errors.Error) -> errors.Error:
    """The rules of checkKillError in cmd/containerd-shim-runc-v2/process/utils.go, plus crun's words."""
    text = str(error).lower()
    gone = ("process already finished", "container not running", "no such process", "is not running")
    if any(words in text for words in gone):
        return errors.NotFound("process already finished: not found")
    if "does not exist" in text:
        return errors.NotFound("no such container: not found")
    return error
