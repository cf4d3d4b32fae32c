import os
from pathlib import Path

import pytest

from moorage_sdk.mounts import Mount
from moorage_snapshotter_overlayfs import features
from moorage_sys import mountinfo, mounts, userns_maps

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@root_only
def test_no_obstacle_leaves_no_trace(tmp_path: Path) -> None:
    assert features.obstacle(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert mountinfo.beneath(str(tmp_path)) == []


@root_only
def test_obstacle_names_the_file_system(tmp_path: Path) -> None:
    for name in ("l1", "l2", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    options = (f"workdir={tmp_path}/work", f"upperdir={tmp_path}/upper", f"lowerdir={tmp_path}/l1:{tmp_path}/l2")
    mounts.mount(Mount("overlay", "overlay", options), tmp_path / "merged")
    try:
        assert "(overlay)" in features.obstacle(tmp_path / "merged")
    finally:
        mounts.unmount_all(tmp_path / "merged")


@pytest.mark.parametrize(
    ("configured", "wanted"),
    [((), ("index=off",)), (("index=on",), ("index=on",)), (("volatile",), ("volatile", "index=off"))],
)
def test_index_is_off_unless_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: tuple[str, ...], wanted: tuple[str, ...]
) -> None:
    monkeypatch.setattr(features, "_INDEX", tmp_path)
    assert features.options(tmp_path, configured) == wanted
    monkeypatch.setattr(features, "_INDEX", tmp_path / "absent")
    assert features.options(tmp_path, configured) == configured


def test_user_namespace_wants_userxattr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userns_maps, "inside_user_namespace", lambda: True)
    monkeypatch.setattr(features, "_INDEX", tmp_path / "absent")
    on_tmpfs = mountinfo.holding(str(tmp_path)).type == "tmpfs"
    assert features.options(tmp_path, ()) == (() if on_tmpfs else ("userxattr",))
    assert features.options(tmp_path, ("userxattr",)) == ("userxattr",)


def test_maps_ids_compares_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for release, wanted in (
        ("5.4.0-1", False),
        ("5.19.0", True),
        ("6.1.0-13-amd64", True),
        ("5.9.1", False),
        ("6.11-amd64", True),
    ):
        fields = ("Linux", "host", release, "", "x86_64")
        monkeypatch.setattr(os, "uname", lambda fields=fields: os.uname_result(fields))
        assert features.maps_ids() is wanted
