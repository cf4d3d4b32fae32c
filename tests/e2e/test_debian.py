"""A whole Debian from a real registry: both daemons, by both clients, make the same of it and keep nothing."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from moorage_testkit import images, registries
from moorage_testkit.daemons import Daemon
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry
from moorage_testkit.worlds import verify_world

UNREACHABLE = "Failed getting release file"
"""What debootstrap says where there is no way to its mirror."""

LOOK = r"""
cat /etc/os-release
echo "$(dpkg -l | wc -l) lines of packages"
apt-get --version
{
stat -c '%a %u %g' /
find / -mindepth 1 -xdev -path /run -prune -o ! -path /dev ! -path /proc ! -path /sys \
    -printf '%p %y %m %U %G %n %l %T@\n' | sort
find / -xdev -type f -exec sha256sum {} + | sort
} | sha256sum
"""
"""What is run in it. The digest is of names, kinds, modes, owners, links, times and contents of all files, without what
the runtime mounts."""


@dataclass(frozen=True)
class Client:
    """Words of a command line; ``id`` is what names a container that it runs."""

    program: tuple[str, ...]
    address: str
    pull: tuple[str, ...]
    remove: tuple[str, ...]
    id: tuple[str, ...]

    def __call__(self, daemon: Daemon, namespace: str, *words: str) -> str:
        command = [*self.program, self.address, daemon.address, "-n", namespace, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout


CLIENTS = {
    "ctr": Client(("ctr",), "--address", ("images", "pull", "--plain-http"), ("images", "rm", "--sync"), ("debian",)),
    "moorage": Client((sys.executable, "-m", "moorage_cli"), "--address", ("pull",), ("rmi",), ()),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's minbase in a registry."""
    if not registries.available() or not shutil.which("debootstrap"):
        pytest.skip("needs docker-registry, skopeo, openssl and debootstrap")
    layout = Layout(tmp_path_factory.mktemp("layout"))
    try:
        layout.tag("minbase", images.debian(layout))
    except RuntimeError as error:
        if UNREACHABLE not in str(error):
            raise
        pytest.skip(f"needs a mirror of Debian: {error}")
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        images.push(layout, "minbase", f"{registry.address}/debian:minbase")
        yield f"{registry.address}/debian:minbase"
        shutil.rmtree(registry.directory)
    shutil.rmtree(layout.path)


def stored(daemon: Daemon, namespace: str) -> list[set[str]]:
    """Content and snapshots."""
    kinds = ("content", "ls", "-q"), ("snapshots", "ls")
    return [set(daemon.ctr("-n", namespace, *words).stdout.splitlines()) for words in kinds]


def can_pull(daemon: Daemon, client: Client) -> bool:
    """Our command line has the daemon pull, which containerd does since 1.7."""
    return client is CLIENTS["ctr"] or "io.containerd.transfer.v1" in daemon.ctr("plugins", "ls").stdout


def test_both_daemons_make_the_same_of_it(pair: Any, namespace: str, image: str) -> None:
    """Whoever pulls it, and whoever runs it."""
    seen = []
    for daemon, puller in itertools.product((pair.ours, pair.theirs), CLIENTS.values()):
        if not can_pull(daemon, puller):
            assert daemon is pair.theirs
            continue
        before = stored(daemon, namespace)
        puller(daemon, namespace, *puller.pull, image)
        for client in CLIENTS.values():
            seen.append(client(daemon, namespace, "run", "--rm", image, *client.id, "bash", "-ec", LOOK))
        puller(daemon, namespace, *puller.remove, image)
        verify_world(daemon.world).assert_clean()
        assert stored(daemon, namespace) == before
    assert len(seen) >= 6
    assert len(set(seen)) == 1, seen
    assert "VERSION_CODENAME=bookworm" in seen[0]
    assert "\napt 2.6" in seen[0]
    assert 80 < int(re.findall(r"(\d+) lines of packages", seen[0])[0]) < 200
