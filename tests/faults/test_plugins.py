"""Faulty plugins of third parties: each stays a state with a reason, and the daemon serves everybody else."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from moorage_client.clients import connect
from moorage_client.plugins import Plugin
from moorage_testkit.daemons import Daemon, Program

SINK = "io.containerd.sink.v1.fake"
IMPORTS = """
from moorage_sdk.slots import Plugin, Slot
from moorage_sdk.events import SINK
"""

GOOD = "def make(ctx, config):\n    {body}\nplugin = Plugin(slot=SINK, id='fake', make=make)\n"


class Distribution:
    """A distribution in a folder, as pip would have installed it there: one module and its metadata."""

    def __init__(self, folder: Path, name: str = "fake") -> None:
        self.folder, self.name = folder, name
        self.metadata = folder / f"{name}-1.0.dist-info"
        self.metadata.mkdir(parents=True)
        (self.metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")

    def write(self, code: str, entry_points: str) -> None:
        (self.folder / f"{self.name}_plugin.py").write_text(IMPORTS + code)
        (self.metadata / "entry_points.txt").write_text(entry_points)


def program(folder: Path, *uris: str) -> Program:
    """The daemon with ``folder`` on its path and a table for each plugin, without which a third party's is not used."""
    start = f"import sys; sys.path.append({str(folder)!r}); from moorage_core import cli; sys.exit(cli.main())"
    tables = "".join(f'[plugins."{uri}"]\n' for uri in uris)
    return Program((sys.executable, "-I", "-c", start), f"version = 4\n{tables}")


def listed(daemon: Daemon) -> dict[str, Plugin]:
    async def ask() -> list[Plugin]:
        async with connect(daemon.address) as client:
            return await client.plugins.list()

    return {plugin.uri: plugin for plugin in asyncio.run(ask())}


@pytest.fixture
def distribution(base: Path) -> Distribution:
    return Distribution(base / "site")


@pytest.mark.parametrize(
    "code, reason",
    [
        ("raise ValueError('born broken')\n", "ValueError: born broken"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
        ("import no_such_module_anywhere\n", "No module named 'no_such_module_anywhere'"),
        ("plugin = 7\n", "names no Plugin"),
        (GOOD.format(body="raise OSError(5, 'no disk')"), "no disk"),
        (GOOD.format(body="raise SystemExit(4)"), "SystemExit: 4"),
        (GOOD.format(body="assert not 'even this'"), "AssertionError"),
    ],
)
def test_a_plugin_that_raises(base: Path, distribution: Distribution, code: str, reason: str) -> None:
    distribution.write(code, "[moorage.sink]\nfake = fake_plugin:plugin\n")
    with Daemon(program(distribution.folder, SINK), base) as daemon:
        plugins = listed(daemon)
        assert plugins[SINK].status == "error"
        assert reason in plugins[SINK].error
        assert [uri for uri, plugin in plugins.items() if plugin.status == "error"] == [SINK]
        assert "ok" in daemon.ctr("plugins", "ls").stdout
        assert daemon.terminate() == 0


def test_without_a_table_nothing_of_a_third_party_is_imported(base: Path, distribution: Distribution) -> None:
    distribution.write(f"open({str(base / 'imported')!r}, 'w')\n", "[moorage.sink]\nfake = fake_plugin:plugin\n")
    with Daemon(program(distribution.folder), base):
        assert not (base / "imported").exists()


CYCLE = """
LEFT, RIGHT = Slot("left", "org.example.left.v1"), Slot("right", "org.example.right.v1")
def make(ctx, config):
    raise RuntimeError("must not be made")
left = Plugin(slot=LEFT, id="a", make=make, requires=(RIGHT,))
right = Plugin(slot=RIGHT, id="b", make=make, requires=(LEFT,))
"""
CYCLE_ENTRY_POINTS = """
[moorage.slots]
left = fake_plugin:LEFT
right = fake_plugin:RIGHT
[moorage.left]
a = fake_plugin:left
[moorage.right]
b = fake_plugin:right
"""


def test_plugins_that_require_each_other(base: Path, distribution: Distribution) -> None:
    left, right = "org.example.left.v1.a", "org.example.right.v1.b"
    distribution.write(CYCLE, CYCLE_ENTRY_POINTS)
    with Daemon(program(distribution.folder, left, right), base) as daemon:
        plugins = listed(daemon)
        for uri in (left, right):
            assert "requires itself" in plugins[uri].error
            assert f"{left} -> {right}" in plugins[uri].error or f"{right} -> {left}" in plugins[uri].error
        assert sum(plugin.status == "ok" for plugin in plugins.values()) > 10


def test_a_required_plugin_that_raises_is_the_end(base: Path, distribution: Distribution) -> None:
    distribution.write("raise SystemExit(0)\n", "[moorage.sink]\nfake = fake_plugin:plugin\n")
    chosen = program(distribution.folder, SINK)
    daemon = Daemon(chosen.with_config(f'required_plugins = ["{SINK}"]\n{chosen.config}'), base)
    assert daemon.spawn().wait(60) == 1
    assert f'required plugin "{SINK}": failed: cannot load "fake_plugin:plugin": SystemExit: 0' in daemon.tail()


def test_twins_are_both_refused(base: Path, distribution: Distribution) -> None:
    code = GOOD.format(body="return None")
    distribution.write(code, "[moorage.sink]\nfake = fake_plugin:plugin\n")
    Distribution(distribution.folder, "twin").write(code, "[moorage.sink]\nfake = twin_plugin:plugin\n")
    with Daemon(program(distribution.folder, SINK), base) as daemon:
        assert "installed more than once, by fake and twin" in listed(daemon)[SINK].error
