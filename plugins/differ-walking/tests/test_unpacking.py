"""Whole layers: digest and size, and random stacks of layers in plain directories and overlays."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from moorage_differ_walking import unpacking
from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.jobs import Outcome
from moorage_differ_walking.limits import Limits
from moorage_sdk import digests, errors
from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit import trees
from moorage_testkit.archives import Tar

pytestmark = pytest.mark.usefixtures("code")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and mounts need root")


def unpack(folder: Path, layer: bytes, below: list[Path] | None = None) -> Outcome:
    opened = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in [folder, *(below or [])]]
    try:
        extraction = Extraction(opened[0], Limits(), overlay=below is not None, below=opened[1:])
        return unpacking.unpack(io.BytesIO(layer), "", extraction, Limits())
    finally:
        for fd in opened:
            os.close(fd)


@pytest.mark.parametrize("trailing", [0, 1, 512, 100_000])
def test_digest_is_that_of_all_bytes(tmp_path: Path, trailing: int) -> None:
    layer = Tar().file("f", b"x", uid=os.geteuid(), gid=os.getegid()).end() + bytes(trailing)
    assert unpack(tmp_path, layer) == Outcome(digests.of(layer), len(layer))
    layer = Tar().end() + b"\1" * trailing
    assert unpack(tmp_path, layer) == Outcome(digests.of(layer), len(layer))


def test_what_was_unpacked_before_a_fault_stays(tmp_path: Path) -> None:
    layer = Tar().file("f", b"x", uid=os.geteuid(), gid=os.getegid()).header("g", checksum=7).end()
    with pytest.raises(errors.InvalidArgument):
        unpack(tmp_path, layer)
    assert (tmp_path / "f").read_bytes() == b"x"


def test_sparse_files_take_no_space(tmp_path: Path) -> None:
    records = {"GNU.sparse.size": str(1 << 40), "GNU.sparse.map": f"0,3,{(1 << 40) - 3},3"}
    layer = Tar().pax(records).header("s", size=6, uid=os.geteuid(), gid=os.getegid()).body(b"abcend")
    unpack(tmp_path, layer.end())
    status = (tmp_path / "s").stat()
    assert status.st_size == 1 << 40
    assert status.st_blocks * 512 < 1 << 20
    with open(tmp_path / "s", "rb") as file:
        assert file.read(5) == b"abc\0\0"
        file.seek(-3, os.SEEK_END)
        assert file.read() == b"end"


NAMES = st.sampled_from(["a", "b", "a/b", "a/c", "a/b/c", "b/a", "b/c/d", "c"])
TARGETS = st.sampled_from(["a", "/b", "../a/b", "a/b", "c", "nowhere", "."])
STEPS = st.one_of(
    st.tuples(st.just("file"), NAMES, st.sampled_from(["1", "22"])),
    st.tuples(st.just("folder"), NAMES, st.just("")),
    st.tuples(st.just("symlink"), NAMES, TARGETS),
    st.tuples(st.just("link"), NAMES, NAMES),
    st.tuples(st.just("whiteout"), NAMES, st.just("")),
    st.tuples(st.just("opaque"), NAMES, st.just("")),
)


def build(steps: list[tuple[str, str, str]]) -> bytes:
    tar = Tar()
    for kind, name, value in steps:
        if kind == "file":
            tar.file(name, value.encode())
        elif kind == "folder":
            tar.folder(name)
        elif kind == "symlink":
            tar.symlink(name, value)
        elif kind == "link":
            tar.link(name, value)
        else:
            path, _, base = name.rpartition("/")
            marker = f".wh.{base}" if kind == "whiteout" else f"{base}/.wh..wh..opq"
            tar.file(f"{path}/{marker}" if path else marker)
    return tar.end()


@needs_root
@example([[("folder", "a/b", "")], [("folder", "a/b/c", ""), ("opaque", "a", "")]])
@example([[("folder", "a/b", "")], [("whiteout", "a/b", ""), ("opaque", "a", "")]])
@example([[("folder", "a/b", "")], [("file", "a/b/c", "1"), ("whiteout", "a/b/d", ""), ("opaque", "a", "")]])
@example([[("folder", "a/b", "")], [("whiteout", "a/b/c", ""), ("opaque", "a", "")]])
@example([[("folder", "a", "")], [("symlink", "b", "."), ("opaque", "b", "")]])
@example([[("folder", "b/a", "")], [("opaque", "b/a", ""), ("opaque", "b", "")]])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(STEPS, max_size=7), min_size=1, max_size=3))
def test_random_stacks_look_the_same_in_both(stack: list[list[tuple[str, str, str]]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="moorage-unpack-"))
    try:
        compare(folder, [build(steps) for steps in stack])
    finally:
        mounts.unmount_recursive(folder)
        shutil.rmtree(folder)


def compare(folder: Path, layers: list[bytes]) -> None:
    plain, merged = folder / "plain", folder / "merged"
    lower = [folder / "bottom"]
    for path in (plain, merged, *lower):
        path.mkdir(mode=0o755)
    for number, layer in enumerate(layers):
        upper, work = folder / f"upper{number}", folder / f"work{number}"
        upper.mkdir(mode=0o755)
        work.mkdir()
        failures = []
        for target, below in ((plain, None), (upper, lower)):
            try:
                unpack(target, layer, below)
            except errors.InvalidArgument:
                failures.append(target)
        if failures:
            # A layer that one refuses is good for nothing in the other either, or is more lenient; no comparison then.
            return
        directories = ":".join(str(path) for path in lower)
        options = (f"upperdir={upper}", f"workdir={work}", f"lowerdir={directories}")
        mounts.mount(Mount("overlay", "overlay", options), merged)
        try:
            hidden = ("trusted.overlay.", "security.selinux")
            assert without_links(trees.read(merged, hidden=hidden)) == without_links(trees.read(plain))
        finally:
            mounts.unmount_all(merged)
        lower.insert(0, upper)


def without_links(nodes: dict[str, trees.Node]) -> dict[str, trees.Node]:
    """Hard links into lower layers are broken by overlay's copying, in containers, too."""
    return {path: trees.Node(node.kind, node.mode, node.owner, node.data) for path, node in nodes.items()}
