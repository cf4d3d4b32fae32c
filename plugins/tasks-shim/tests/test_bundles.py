"""Bundles on disk."""

import json
import os
import stat
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts
from moorage_tasks_shim.bundles import Bundles

SPEC = b'{"ociVersion": "1.0.2"}'


@pytest.fixture
def bundles(tmp_path: Path) -> Bundles:
    for name in ("state", "root"):
        (tmp_path / name).mkdir()
    return Bundles(tmp_path / "state", tmp_path / "root")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_layout_and_modes_whatever_the_umask(bundles: Bundles, umask: int) -> None:
    before = os.umask(umask)
    try:
        bundle = bundles.create("ns", "web", SPEC)
    finally:
        os.umask(before)
    path = Path(bundle.path)
    assert path == bundles.state / "ns" / "web"
    assert (path / "config.json").read_bytes() == SPEC
    assert (path / "work").readlink() == bundles.root / "ns" / "web"
    modes = {each: mode(path / each) for each in (".", "rootfs", "config.json")}
    assert modes == {".": 0o700, "rootfs": 0o711, "config.json": 0o600}
    assert mode(path.parent) == mode(bundles.root / "ns" / "web") == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
@pytest.mark.parametrize(
    ("mappings", "group", "wanted"),
    [
        ([{"containerID": 0, "hostID": 4242, "size": 10}], 4242, 0o710),
        ([{"containerID": 5, "hostID": 4242, "size": 10}], 0, 0o700),
        ([{"containerID": 0, "hostID": "4242"}], 0, 0o700),
        ("nonsense", 0, 0o700),
        (None, 0, 0o700),
    ],
)
def test_a_remapped_root_may_pass_through(bundles: Bundles, mappings: object, group: int, wanted: int) -> None:
    bundle = bundles.create("ns", "web", json.dumps({"linux": {"gidMappings": mappings}}).encode())
    assert mode(Path(bundle.path)) == wanted
    assert Path(bundle.path).stat().st_gid == group


@pytest.mark.parametrize("spec", [b"", b"[]", b"{", b"nonsense", b"[" * 100_000])
def test_a_bad_spec_leaves_nothing(bundles: Bundles, spec: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        bundles.create("ns", "web", spec)
    assert list(bundles.all()) == []


def test_leftovers_of_a_crash_are_replaced(bundles: Bundles) -> None:
    (bundles.state / "ns" / "web").mkdir(parents=True)
    (bundles.state / "ns" / "web" / "half").write_text("x")
    bundle = bundles.create("ns", "web", SPEC)
    assert not Path(bundle.path, "half").exists()


def test_deleting_takes_both_directories_and_may_be_repeated(bundles: Bundles) -> None:
    bundle = bundles.create("ns", "web", SPEC)
    bundles.delete(bundle)
    bundles.delete(bundle)
    assert not Path(bundle.path).exists()
    assert not (bundles.root / "ns" / "web").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_deleting_unmounts_the_rootfs_and_keeps_what_was_mounted(bundles: Bundles, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    bundle = bundles.create("ns", "web", SPEC)
    mounts.mount(Mount("bind", str(precious), ("rbind", "rw")), Path(bundle.path, "rootfs"))
    bundles.delete(bundle)
    assert (precious / "file").read_text() == "keep"
    assert not mountinfo.beneath(bundle.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
def test_a_mount_elsewhere_in_the_bundle_keeps_it(bundles: Bundles, tmp_path: Path) -> None:
    bundle = bundles.create("ns", "web", SPEC)
    other = Path(bundle.path, "other")
    other.mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs", ()), other)
    try:
        with pytest.raises(errors.FailedPrecondition, match="mount point"):
            bundles.delete(bundle)
    finally:
        mounts.unmount(other) or mounts.unmount(other.parent.with_name(".web") / "other")
    bundles.delete(bundle)


def test_what_was_written_into_the_rootfs_or_the_working_directory_goes_too(bundles: Bundles) -> None:
    bundle = bundles.create("ns", "web", SPEC)
    Path(bundle.path, "rootfs", "file").write_text("x")
    Path(bundle.path, "work", "file").write_text("x")
    bundles.delete(bundle)
    assert [*bundles.state.rglob("*web*"), *bundles.root.rglob("*web*")] == []


def test_all_finds_every_bundle_and_nothing_else(bundles: Bundles) -> None:
    for namespace, id in (("b", "two"), ("a", "one"), ("b", "one")):
        bundles.create(namespace, id, SPEC)
    (bundles.state / "file").write_text("")
    (bundles.state / "a" / ".hidden").mkdir()
    assert [(each.namespace, each.id) for each in bundles.all()] == [("a", "one"), ("b", "one"), ("b", "two")]


def test_tidy_removes_working_directories_without_a_task_and_half_removed_ones(bundles: Bundles) -> None:
    bundles.create("ns", "alive", SPEC)
    (bundles.root / "ns" / "dead").mkdir()
    (bundles.state / "ns" / ".dead" / "rootfs").mkdir(parents=True)
    bundles.tidy(frozenset({("ns", "alive")}))
    assert [each.name for each in (bundles.root / "ns").iterdir()] == ["alive"]
    assert [each.name for each in (bundles.state / "ns").iterdir()] == ["alive"]


@pytest.mark.parametrize("spec", [None, b"", b"not json", b"[]", b'{"x": 1}'])
def test_what_only_a_runtime_understands_is_written_as_it_is(bundles: Bundles, spec: bytes | None) -> None:
    path = Path(bundles.create_any("ns", "pod", spec).path)
    assert (path / "config.json").exists() == (spec is not None)
    assert spec is None or (path / "config.json").read_bytes() == spec
    assert (path / "rootfs").is_dir() and (path / "work").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_sandbox_with_user_namespace_can_be_reached_from_inside(bundles: Bundles) -> None:
    mappings = [{"containerID": 0, "hostID": 4242, "size": 10}]
    path = Path(bundles.create_any("ns", "pod", json.dumps({"linux": {"gidMappings": mappings}}).encode()).path)
    assert (path.stat().st_gid, mode(path)) == (4242, 0o710)
