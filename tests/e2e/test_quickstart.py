"""The first command of the README, on a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from moorage_testkit import images, registries
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry

ROOT = Path(__file__).parents[2]
IGNORED = shutil.ignore_patterns(".git", ".venv", ".tox", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="needs a Debian machine"),
]


def left_over() -> set[str]:
    """Directories, cgroups, runc's states and processes of quickstart's daemons, by path and by command."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    places = {
        "/run": "moorage-quickstart.*",
        "/run/containerd/runc": "quickstart-*",
        "/sys/fs/cgroup": "**/quickstart-*",
    }
    paths = [path for place, pattern in places.items() for path in Path(place).glob(pattern)]
    return {str(path) for path in paths} | {
        line for line in processes.splitlines() if "/run/moorage-quickstart." in line
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path_factory.mktemp("quickstart") / "tree", ignore=IGNORED))


def quickstart(tree: Path, image: str) -> subprocess.CompletedProcess[str]:
    before = left_over()
    done = subprocess.run([tree / "quickstart", image], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines()[-1] == "hello from a container of moorage"
    assert left_over() == before
    return done


def test_without_a_registry_it_goes_on_with_an_image_of_its_own(tree: Path) -> None:
    assert "no registry for" in quickstart(tree, "registry.invalid/nobody/nothing:latest").stderr


@pytest.mark.full
@pytest.mark.skipif(not registries.available(), reason="needs docker-registry, skopeo and openssl")
def test_with_a_registry_it_runs_the_image_named(tree: Path, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("busybox", images.busybox(layout))
    with Registry(tmp_path / "registry") as registry:
        image = f"{registry.address}/test/busybox:latest"
        images.push(layout, "busybox", image)
        done = quickstart(tree, image)
        wrong = f"{registry.address}/test/nothing:latest"
        before = left_over()
        refused = subprocess.run([tree / "quickstart", wrong], capture_output=True, text=True, timeout=280, check=False)
        assert left_over() == before
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == f'quickstart: image "{wrong}": cannot be had (the reason is above)'
    assert "hello" not in refused.stdout
    assert "no registry for" not in done.stderr
    assert f"running echo in {image}" in done.stderr


def test_who_is_not_root_is_told_so() -> None:
    done = subprocess.run(
        ["setpriv", "--reuid", "65534", "--clear-groups", ROOT / "quickstart"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'user "nobody": not root' in done.stderr


def test_an_option_that_is_none_is_no_image() -> None:
    done = subprocess.run([ROOT / "quickstart", "--bogus"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'option "--bogus": unknown' in done.stderr
