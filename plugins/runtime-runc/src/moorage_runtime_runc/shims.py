"""``containerd-shim-moorage-v2``: the monitor as a runtime of a containerd that is not ours.

containerd runs this program per container (docs/runtime-v2.md): ``start`` prints where the Task API is served, which is
the one monitor of that containerd; ``delete`` removes what is left of a container; ``-info`` tells about the runtime.
Nothing here is imported for ``start`` but what it needs, since every container waits for it.
"""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moorage_runtime_runc import starts
from moorage_sdk import errors
from moorage_ttrpc import blocking, sockets

FOLDER = Path("/run/moorage")
NAME = "io.containerd.moorage.v2"
MONITOR = "moorage.monitor.v1.Monitor"
"""The monitor's own service, beside the Task API. Its messages are plain bytes."""
LOCKED = 75
"""Exit status of a monitor when another serves its directory already (EX_TEMPFAIL in sysexits.h)."""
NAMESPACE = "containerd-namespace-ttrpc"
"""Metadata key of the namespace (pkg/namespaces/ttrpc.go)."""
VERSIONS = ("containerd.task.v2.Task", "containerd.task.v3.Task")
SANDBOX = "containerd.runtime.sandbox.v1.Sandbox"
KILLED = 137
CGROUP = "shim-cgroup"
"""In a bundle: the cgroup of the monitor that carries it. There is none for the node's own."""
CGROUP_LINGER = 2.0
"""Seconds that a monitor of a cgroup stays without containers: whoever made the cgroup wants to remove it then."""
MOST = 10 << 20
"""Bytes of standard input that are read (pkg/shim/shim.go)."""

_WAIT = 15.0
_VALUES = {"namespace", "id", "address", "publish-binary", "bundle", "socket", "debug-socket"}
_SWITCHES = {"debug", "v", "version", "info", "help"}


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command line, with one dash or two before each flag, as Go's flag package takes it."""

    flags: dict[str, str]
    action: str

    def flag(self, name: str) -> str:
        """Raises errors.InvalidArgument if it is missing."""
        if not (value := self.flags.get(name, "")):
            raise errors.InvalidArgument(f'flag "-{name}": missing')
        return value


def parse(argv: Sequence[str]) -> Invocation:
    """Raises errors.InvalidArgument for flags that are unknown or lack a value."""
    flags: dict[str, str] = {}
    words = list(argv)
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if name in _SWITCHES:
            flags[name] = "true"
        elif name in _VALUES and (equals or words):
            flags[name] = value if equals else words.pop(0)
        else:
            raise errors.InvalidArgument(f'flag "-{name}": unknown or without a value')
    return Invocation(flags, words[0] if words else "")


def start(invocation: Invocation, environ: dict[str, str], told: bytes = b"") -> str:
    """Make sure that a monitor runs and knows we count on it. Returns the answer for containerd.

    ``told`` is standard input. The monitor is that of the cgroup which the options name, if they do.
    """
    address = invocation.flags.get("address") or environ.get("GRPC_ADDRESS", "")
    events = environ.get("TTRPC_ADDRESS") or f"{address}.ttrpc"
    namespace = invocation.flag("namespace")
    if cgroup := starts.shim_cgroup(told, namespace, invocation.flags.get("id", "")):
        _leave(CGROUP, cgroup)
    socket = _ensure(address, events, cgroup)
    url = f"unix://{_reserve(socket, namespace)}"
    # containerd before 2.0 finds the way back by this file; later ones keep a record of their own.
    _leave("address", url)
    if not environ.get("MAX_SHIM_VERSION"):
        return url
    return f'{{"version": 3, "address": "{url}", "protocol": "ttrpc"}}'


def delete(invocation: Invocation) -> bytes:
    """Remove a container and return an encoded DeleteResponse: killed, now, as containerd's runc shim says."""
    from moorage_api.convert import timestamps
    from moorage_api.messages import shim_v3
    from moorage_runtime_runc import removals
    from moorage_sdk.tasks import Bundle

    path = Path(invocation.flags.get("bundle") or Path.cwd())
    bundle = Bundle(str(path), invocation.flag("namespace"), invocation.flag("id"))
    socket = place(invocation.flags.get("address", ""), _cgroup(path)) / "monitor.sock"
    pid = 0
    if not removals.sandbox(socket, bundle):
        try:
            pid = removals.through_monitor(socket, bundle)
        except errors.Error:
            pid = removals.by_hand(bundle)
    at = timestamps.to_message(time.time_ns())
    return shim_v3.DeleteResponse(pid=pid, exit_status=KILLED, exited_at=at).SerializeToString()


def info(options: bytes) -> bytes:
    """An encoded RuntimeInfo; ``options`` is an encoded Any of the runtime's options, or nothing."""
    import json
    from importlib import metadata

    from google.protobuf.any_pb2 import Any

    from moorage_api.convert import typeurls
    from moorage_api.messages import types
    from moorage_runtime_runc.options import settings

    packed = Any.FromString(options)
    result = types.RuntimeInfo(name=NAME)
    result.version.version = metadata.version("moorage-runtime-runc")
    if packed.type_url:
        result.options.CopyFrom(packed)
    command = [settings(packed).binary, "features"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0:  # not every OCI runtime has the command
        result.features.CopyFrom(typeurls.pack_json(typeurls.FEATURES, json.loads(done.stdout)))
    return result.SerializeToString()


def main(argv: Sequence[str] | None = None) -> int:
    """The program; returns its exit status."""
    try:
        sys.stdout.buffer.write(_answer(parse(sys.argv[1:] if argv is None else argv)))
    except (errors.Error, OSError) as error:
        sys.stderr.write(f"{NAME}: {error}\n")
        return 1
    return 0


def _answer(invocation: Invocation) -> bytes:
    if {"v", "version"} & set(invocation.flags):
        from importlib import metadata

        return f"containerd-shim-moorage-v2 {metadata.version('moorage-runtime-runc')}\n".encode()
    if "info" in invocation.flags:
        return info(sys.stdin.buffer.read(MOST))
    if invocation.action == "start":
        return start(invocation, dict(os.environ), sys.stdin.buffer.read(MOST)).encode()
    if invocation.action == "delete":
        return delete(invocation)
    raise errors.InvalidArgument(f'action "{invocation.action}": neither start nor delete')


def place(address: str, cgroup: str = "") -> Path:
    """The folder of the monitor that belongs to a containerd, or of the one that it has in a cgroup."""
    import hashlib  # brings libcrypto, and the monitor imports this module

    owner = f"{address}\0{cgroup}" if cgroup else address
    return FOLDER / hashlib.sha256(owner.encode()).hexdigest()[:32]


def _cgroup(bundle: Path) -> str:
    try:
        return (bundle / CGROUP).read_text("utf-8")
    except FileNotFoundError:
        return ""


def _leave(name: str, content: str) -> None:
    """A file in the bundle, which is where we are. Raises OSError."""
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "w", encoding="utf-8") as file:
        file.write(content)


def _ensure(address: str, events: str, cgroup: str) -> Path:
    """The socket of a monitor that answers. Raises errors.Unavailable."""
    folder = place(address, cgroup)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = folder / "monitor.sock"
    # Many containers may start at once; the first starts the monitor, and the others wait for it here.
    lock = os.open(folder / "start", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not sockets.alive(socket):
            _spawn(folder, socket, address, events, cgroup)
        if not sockets.alive(socket):
            raise errors.Unavailable(f"node monitor: does not listen on {socket}", hint=f"see {folder}/monitor.log")
    finally:
        os.close(lock)
    return socket


def _spawn(folder: Path, socket: Path, address: str, events: str, cgroup: str) -> None:
    """Start a monitor and wait until it serves or has given up, which it tells by closing its standard output.

    It holds neither our output, which containerd reads to the end, nor our errors.
    """
    command = [sys.executable, "-I", "-m", "moorage_runtime_runc.monitor", "--leave", "--announce"]
    command += ["--state", str(folder), "--socket", str(socket), "--events", events]
    command += ["--address", address] if address else []
    command += ["--cgroup", cgroup, "--linger", str(CGROUP_LINGER)] if cgroup else []
    log = os.open(folder / "monitor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)
    assert process.stdout is not None
    with process.stdout as pipe:
        select.select([pipe], [], [], _WAIT)
    process.returncode = 0  # it stays behind, and is nobody's business here


def _reserve(socket: Path, namespace: str) -> str:
    """The socket for a namespace. To ask keeps a monitor without containers from leaving for as long as it lingers."""
    return os.fsdecode(blocking.call(socket, MONITOR, "Listen", namespace.encode()))


if __name__ == "__main__":
    sys.exit(main())
