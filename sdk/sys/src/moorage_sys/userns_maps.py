"""User namespaces that exist only to carry an id mapping, as id-mapped mounts want them (mount_setattr(2))."""

from __future__ import annotations

import os
import re
from pathlib import Path

from moorage_sdk import errors

_UNSHARE = "/usr/bin/unshare"
_CAT = "/bin/cat"
_RANGE = re.compile(r"([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})")
_MAX_ID = 2**32 - 1


def parse(ranges: str) -> list[tuple[int, int, int]]:
    """``container:host:size`` ranges joined by commas. Raises errors.InvalidArgument."""
    parsed = []
    for part in ranges.split(","):
        match = _RANGE.fullmatch(part)
        numbers = tuple(int(number) for number in match.groups()) if match else ()
        if len(numbers) != 3 or not numbers[2] or max(numbers[0], numbers[1]) + numbers[2] > _MAX_ID:
            raise errors.InvalidArgument(f'id mapping "{ranges}": not container:host:size: invalid argument')
        parsed.append((numbers[0], numbers[1], numbers[2]))
    return parsed


def open_mapped(uid_map: str, gid_map: str) -> int:
    """A descriptor of a new user namespace with these mappings.

    The daemon never forks, so a small program holds the namespace until it is opened: its echo tells that it has
    entered it. Raises errors.InvalidArgument for a malformed mapping, OSError when the kernel refuses it.
    """
    # Loaded here, for it doubles what a small helper that only mounts has to load.
    import subprocess

    uids, gids = parse(uid_map), parse(gid_map)
    command = [_UNSHARE, "--user", "--", _CAT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdin and holder.stdout and holder.stderr
        try:
            holder.stdin.write(b"\n")
            holder.stdin.flush()
            if holder.stdout.read(1) != b"\n":
                raise OSError(0, f"user namespace: {holder.stderr.read().decode('utf-8', 'replace').strip()}")
            _write_map(holder.pid, "uid_map", uids)
            _write_map(holder.pid, "gid_map", gids)
            return os.open(f"/proc/{holder.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            holder.kill()


def inside_user_namespace() -> bool:
    """Whether this process lives in a user namespace other than the first one."""
    lines = Path("/proc/self/uid_map").read_text("ascii").split()
    return lines != ["0", "0", str(_MAX_ID)]


def _write_map(pid: int, name: str, ranges: list[tuple[int, int, int]]) -> None:
    lines = "".join(f"{inside} {outside} {size}\n" for inside, outside, size in ranges)
    with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
        file.write(lines)
