from pathlib import Path

import pytest

from moorage_runtime_runc import roots
from moorage_sdk import errors


@pytest.mark.parametrize("target", ["/victim", "../victim", "../../../../../../etc", "inside/../../victim", "dev"])
def test_sec_5_devices_that_lead_out(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    (root / "inside").mkdir(parents=True)
    (root / "dev").symlink_to(target)
    with pytest.raises(errors.InvalidArgument, match="/dev leads out of it"):
        roots.check(root)


def test_sec_5_a_way_out_over_two_links(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/dev").symlink_to("other")
    (tmp_path / "root/other").symlink_to("/tmp")
    with pytest.raises(errors.InvalidArgument):
        roots.check(tmp_path / "root")


def test_other_roots(tmp_path: Path) -> None:
    roots.check(tmp_path / "none")
    (tmp_path / "sys").symlink_to("/etc")
    roots.check(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "dev").symlink_to("real")
    roots.check(tmp_path)
    (tmp_path / "dev").unlink()
    (tmp_path / "dev").mkdir()
    roots.check(tmp_path)


def test_a_root_that_is_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real/devices").mkdir(parents=True)
    (tmp_path / "real/dev").symlink_to("devices")
    (tmp_path / "root").symlink_to("real")
    roots.check(tmp_path / "root")
