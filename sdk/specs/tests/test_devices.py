import os
import stat
from pathlib import Path

import pytest

from moorage_specs import devices


def test_the_first_rule_denies_everything() -> None:
    rules = devices.default_rules()
    assert rules[0] == {"allow": False, "access": "rwm"}
    assert all(rule["allow"] and rule["type"] == "c" for rule in rules[1:])
    assert {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"} in rules
    assert {"allow": True, "type": "c", "major": 136, "access": "rwm"} in rules


def test_rules_are_fresh_each_time() -> None:
    devices.default_rules()[0]["allow"] = True
    assert devices.default_rules()[0]["allow"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="makes device nodes")
def test_nodes_of_a_directory(tmp_path: Path) -> None:
    os.mknod(tmp_path / "zero", stat.S_IFCHR | 0o640, os.makedev(1, 5))
    (tmp_path / "sub").mkdir()
    os.mknod(tmp_path / "sub" / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    (tmp_path / "pts").mkdir()
    os.mknod(tmp_path / "pts" / "0", stat.S_IFCHR | 0o600, os.makedev(136, 0))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("zero")
    found = {Path(each["path"]).name: each for each in devices.of_host(tmp_path)}
    assert set(found) == {"zero", "disk"}
    assert (found["disk"]["type"], found["disk"]["major"], found["disk"]["minor"]) == ("b", 7, 0)
    assert found["zero"]["fileMode"] == 0o640
