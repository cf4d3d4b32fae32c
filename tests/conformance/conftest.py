"""Stores behind sockets: ours, and those of a real containerd, which shows that the suites ask for what it does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk.namespaces import Namespace
from moorage_testkit import daemons, remotes
from moorage_testkit.daemons import Daemon, Program
from moorage_testkit.remotes import Remote

ISOLATED = '[plugins."io.containerd.metadata.v1.bolt"]\ncontent_sharing_policy = "isolated"\n'
NEWEST = "2.3"
"""What a build that does not know its version is taken for."""

SNAPSHOTTERS = ("overlayfs", "native")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    mine = [item for item in items if item.path.is_relative_to(here)]
    known = tomllib.loads((here / "differences.toml").read_text())["known"]
    peer = version() if mine else ""
    for item in mine:
        if os.geteuid():
            item.add_marker(pytest.mark.skip(reason="needs root to run a daemon"))
        for line in known if "containerd" in item.name else []:
            if _is_about(line, item, peer):
                item.add_marker(pytest.mark.xfail(reason=line["reason"], strict="sometimes" not in line))


def _is_about(line: dict[str, Any], item: Any, peer: str) -> bool:
    names = {"suite": item.cls.__name__, "test": item.originalname, "case": item.callspec.id, "peer": peer}
    return all(fnmatchcase(name, line.get(key, "*")) for key, name in names.items())


def version() -> str:
    """Of the containerd that we are compared with: ``1.6``. Empty when there is none."""
    program = shutil.which(daemons.containerd().command[0])
    if not program:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r" v?(\d+\.\d+)\.", said)
    return found[1] if found else NEWEST


@contextmanager
def running(name: str, config: str) -> Iterator[Daemon]:
    if name == "containerd" and not version():
        pytest.skip("containerd is not installed")
    program: Program = getattr(daemons, name)()
    config = (program.config or "version = 2\n") + config
    with daemons.directory() as base, Daemon(program.with_config(config), base) as daemon:
        yield daemon


@pytest.fixture(scope="session", params=["moorage", "containerd"])
def daemon(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with running(request.param, "") as started:
        yield started


@pytest.fixture(scope="session", params=["moorage", "containerd"])
def isolating(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """A daemon whose namespaces do not share content."""
    with running(request.param, ISOLATED) as started:
        yield started


@pytest.fixture
def remote(daemon: Daemon) -> Iterator[Remote]:
    with remotes.connected(daemon.address, "conformance", SNAPSHOTTERS) as connected:
        yield connected


@pytest.fixture
def remote_of() -> Iterator[Callable[[Daemon, str], Remote]]:
    """Namespaces of a daemon, each connected once and emptied in the end, and its labels taken off."""
    open_: dict[str, Remote] = {}
    with ExitStack() as stack:

        def connect(daemon: Daemon, namespace: str) -> Remote:
            if namespace not in open_:
                remote = open_[namespace] = stack.enter_context(remotes.connected(daemon.address, namespace))
                stack.callback(lambda: remote.run(remote.client.namespaces.update(Namespace(namespace))))
            return open_[namespace]

        yield connect
