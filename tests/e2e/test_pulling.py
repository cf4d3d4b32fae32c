"""Pulling by the command line, from a real registry through our daemon."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from moorage_testkit import images, registries
from moorage_testkit.images import Layout
from moorage_testkit.registries import PASSWORD, USER, Registry

pytestmark = [
    pytest.mark.parametrize("server", ["mooraged"], indirect=True),
    pytest.mark.skipif(not registries.available(), reason="needs docker-registry, skopeo and openssl"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

Moorage = Callable[..., subprocess.CompletedProcess[bytes]]
Command = Callable[..., list[str]]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("layout"))
    layout.tag("busybox", images.busybox(layout))
    layout.tag("layered", images.layered(layout, payload=3_000_000))
    layout.tag("multi", images.multi_platform(layout))
    return layout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as registry:
        for tag in layout.tags:
            images.push(layout, tag, f"{registry.address}/test/{tag}:latest")
        yield registry


@pytest.fixture
def image(registry: Registry, moorage: Moorage) -> Iterator[Callable[[str], str]]:
    """The name of an image in the registry; what a test pulled of them is removed afterwards."""
    yield lambda tag: f"{registry.address}/test/{tag}"
    left = [name for name in moorage("images", "-q").stdout.decode().split() if name.startswith(registry.address)]
    assert not left or moorage("rmi", *left).returncode == 0


def test_lines_for_programs(moorage: Moorage, image: Callable[[str], str]) -> None:
    done = moorage("pull", image("layered"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == f"{image('layered')}:latest"
    assert len([line for line in lines if re.fullmatch(r"layer-[0-9a-f]{12}: complete .*", line)]) == 4
    assert b"\x1b" not in done.stdout
    assert moorage("pull", "-q", image("layered")).stdout.decode() == f"{image('layered')}:latest\n"


def test_bars_for_people(command: Command, image: Callable[[str], str]) -> None:
    words = command("pull", image("layered"))
    child = pexpect.spawn(words[0], words[1:], timeout=60, dimensions=(24, 100), encoding="utf-8")
    child.expect(r"layer-[0-9a-f]{12}")
    child.expect("2.9 MiB of 2.9 MiB")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_running_pulls_what_is_missing(moorage: Moorage, image: Callable[[str], str]) -> None:
    assert moorage("run", "--pull", "never", "--rm", image("busybox"), "echo", "x").returncode == 125
    done = moorage("run", "--rm", image("busybox"), "echo", "fresh")
    assert (done.returncode, done.stdout) == (0, b"fresh\n")


@pytest.mark.parametrize("snapshotter", ["native", "overlayfs"])
def test_into_a_snapshotter(moorage: Moorage, image: Callable[[str], str], snapshotter: str) -> None:
    assert moorage("pull", "--snapshotter", snapshotter, image("busybox")).returncode == 0
    done = moorage("run", "--rm", "--pull", "never", "--snapshotter", snapshotter, image("busybox"), "ls", "/etc")
    assert done.stdout == b"group\npasswd\n"


def test_platforms(moorage: Moorage, image: Callable[[str], str]) -> None:
    assert moorage("pull", "--platform", "linux/arm64", image("multi")).returncode == 0
    assert b" linux/arm64 " in moorage("images").stdout
    assert moorage("pull", "--all-platforms", image("multi")).returncode == 0
    assert b"linux/amd64,linux/arm64,linux/arm/v7" in moorage("images").stdout
    done = moorage("pull", "--platform", "linux/s390x", image("multi"))
    assert done.returncode == 1
    assert b"linux/s390x" in done.stderr


def test_what_is_not_there(moorage: Moorage, image: Callable[[str], str]) -> None:
    done = moorage("pull", image("none"))
    assert done.returncode == 1
    assert done.stderr.startswith(b"moorage: ")
    assert b"not found" in done.stderr
    done = moorage("pull", "127.0.0.1:1/x")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_credentials(moorage: Moorage, command: Command, layout: Layout, tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", htpasswd=True) as registry:
        reference = f"{registry.address}/test/busybox:latest"
        images.push(layout, "busybox", reference, credentials=f"{USER}:{PASSWORD}")
        assert moorage("pull", reference).returncode == 1
        done = moorage("pull", "-u", f"{USER}:wrong", reference)
        assert done.returncode == 1
        assert b"wrong" not in done.stderr
        words = command("pull", "-u", USER, reference)
        child = pexpect.spawn(words[0], words[1:], timeout=60, encoding="utf-8")
        child.expect(f"Password of {USER} at 127.0.0.1")
        child.sendline(PASSWORD)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        assert PASSWORD not in child.before
        assert moorage("rmi", reference).returncode == 0
