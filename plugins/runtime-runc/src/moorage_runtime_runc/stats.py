"""Reading a cgroup's numbers: the files both versions share in form, and the choice between the two messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from moorage_runtime_runc.cgroups import Cgroup
from moorage_sdk import errors

MAX = 2**64 - 1
"""What "max" in a file becomes where the message has no word for unlimited (math.MaxUint64 in the Go library)."""


def collect(cgroup: Cgroup) -> Message:
    """``io.containerd.cgroups.v1.Metrics`` or ``.v2.Metrics``. Raises errors.NotFound for a cgroup that is gone."""
    # Imported here because each needs a descriptor of its own, and most monitors see one version or none.
    if cgroup.unified:
        from moorage_runtime_runc import cgroup2_stats

        _must_exist(cgroup.paths[""])
        return cgroup2_stats.collect(cgroup.paths[""])
    from moorage_runtime_runc import cgroup1_stats

    _must_exist(*cgroup.paths.values())
    return cgroup1_stats.collect(cgroup)


def number(path: Path, unlimited: int = MAX) -> int:
    """The number in a file; 0 if there is no such file, ``unlimited`` for "max"."""
    text = read(path).strip()
    if text == "max":
        return unlimited
    return int(text) & MAX if text.lstrip("-").isdecimal() else 0


def table(path: Path) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in read(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def assignments(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Lines of a word and ``name=value`` fields, as in io.stat, rdma.current and the pressure files."""
    for line in read(path).splitlines():
        word, *fields = line.split()
        yield word, dict(field.split("=", 1) for field in fields if "=" in field)


def read(path: Path) -> str:
    """A file's text; "" if it cannot be read, since which files exist depends on kernel and configuration."""
    try:
        return os.fsdecode(path.read_bytes())
    except OSError:
        return ""


def page_sizes(path: Path, suffix: str) -> list[str]:
    """Sizes for which there is a ``hugetlb.<size>.<suffix>``."""
    found = path.glob(f"hugetlb.*.{suffix}")
    return sorted(each.name.split(".")[1] for each in found if each.name.count(".") == 1 + suffix.count(".") + 1)


def _must_exist(*paths: Path) -> None:
    if not any(path.is_dir() for path in paths):
        raise errors.NotFound("cgroup does not exist: not found")
