"""The first command of the README, on a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns(".git", ".venv", ".tox", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="needs a Debian machine"),
]


def left_over() -> set[str]:
    """Directories and processes of quickstart's daemons, by path and by command."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return {str(path) for path in Path("/run").glob("moorage-quickstart.*")} | {
        line for line in processes.splitlines() if "/run/moorage-quickstart." in line
    }


def test_without_a_registry_it_goes_on_with_an_image_of_its_own(tmp_path: Path) -> None:
    tree = shutil.copytree(ROOT, tmp_path / "tree", ignore=IGNORED)
    before = left_over()
    done = subprocess.run(
        [tree / "quickstart", "registry.invalid/nobody/nothing:latest"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert "no registry for" in done.stderr
    assert done.stdout.splitlines()[-1] == "hello from a container of moorage"
    assert left_over() == before


def test_who_is_not_root_is_told_so() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", ROOT / "quickstart"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'user "nobody": not root' in done.stderr
