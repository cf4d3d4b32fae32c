"""What all tests of faults need: a daemon of its own, images, a registry, and the scale.

Everything runs as root against the host's runc and busybox. ``MOORAGE_SCALE=full`` is the scale of a release,
``MOORAGE_SEED`` repeats the random moments of a run.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk.mounts import Mount
from moorage_sys import mounts
from moorage_testkit import daemons, images, registries
from moorage_testkit.daemons import Daemon
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry

NAMESPACE = "faults"
BUSYBOX = "docker.io/library/busybox:test"
SIZE = 64 << 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in ("ctr", "runc", "busybox") if not shutil.which(name)]
    reason = "needs root" if os.geteuid() else f"needs {', '.join(missing)}" if missing else ""
    here = Path(__file__).parent
    for item in items:
        if reason and item.path.is_relative_to(here):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether this run is of the scale of a release."""
    return os.environ.get("MOORAGE_SCALE") == "full"


@pytest.fixture
def chance() -> random.Random:
    """Random moments; the seed is printed, and shown when the test fails."""
    seed = int(os.environ.get("MOORAGE_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"MOORAGE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def namespace() -> str:
    return NAMESPACE


@pytest.fixture
def base() -> Iterator[Path]:
    with daemons.directory() as base:
        yield base


@pytest.fixture
def small(base: Path) -> Iterator[Path]:
    """A root directory that is an ext4 of 64 MiB."""
    disk, root = base / "disk", base / "root"
    root.mkdir()
    with open(disk, "wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(disk)], check=True)
    try:
        mounts.mount(Mount("ext4", str(disk), ("loop", "errors=remount-ro")), root)
    except OSError as error:
        pytest.skip(f"no loop device: {error}")
    yield root
    mounts.unmount_recursive(root)


@pytest.fixture
def daemon(base: Path) -> Iterator[Daemon]:
    with Daemon(daemons.moorage(), base, namespaces=[NAMESPACE]) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """``busybox`` and ``layered``, the latter with a little weight so that pulls take a moment."""
    layout = Layout(tmp_path_factory.mktemp("layout"))
    layout.tag("busybox", images.busybox(layout))
    layout.tag("layered", images.layered(layout, payload=1 << 20))
    return layout


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Busybox as a tar that is imported under the name ``BUSYBOX``."""
    layout = Layout(tmp_path_factory.mktemp("archive"))
    layout.tag(BUSYBOX, images.busybox(layout))
    return images.archive(layout, layout.path.with_suffix(".tar"))


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a container without an image: its root is a directory of the host with busybox in it, for all to read."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "rootfs" / "bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", folder / "rootfs" / "bin" / "busybox")
    for applet in ("sh", "sleep", "cat", "usleep"):
        (folder / "rootfs" / "bin" / applet).symlink_to("busybox")
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    made: dict[str, Any] = json.loads((folder / "config.json").read_text())
    made["root"] = {"path": str(folder / "rootfs"), "readonly": True}
    made["process"]["terminal"] = False
    return made


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[Registry]:
    """A registry with both images as ``busybox:latest`` and ``layered:latest``."""
    if not registries.available():
        pytest.skip("needs docker-registry, skopeo and openssl")
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for name in ("busybox", "layered"):
            images.push(layout, name, f"{registry.address}/{name}:latest")
        yield registry


@pytest.fixture
def busybox(daemon: Daemon, archive: Path) -> str:
    """The name of a busybox image that the daemon has, unpacked."""
    daemon.ctr("-n", NAMESPACE, "images", "import", str(archive))
    return BUSYBOX


@pytest.fixture
def heavy(tmp_path: Path) -> Path:
    """An image whose layers do not fit into what the tests leave free."""
    layout = Layout(tmp_path / "heavy")
    layout.tag("docker.io/library/heavy:test", images.layered(layout, payload=4 << 20))
    return images.archive(layout, tmp_path / "heavy.tar")
