"""A site directory of its own for each test, with distributions as an installer would leave them."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from moorage_core.discovery import Installed
from moorage_core.hooks import Hooks
from moorage_core.lifecycles import Kernel
from moorage_core.merges import Merged
from moorage_core.programs import MOORAGED
from moorage_core.records import Record
from moorage_core.settings import Settings, Top
from moorage_sdk.slots import Daemon, NoConfig, Plugin, Slot

SLOTS = """
from moorage_sdk.slots import Slot
ALPHA = Slot("alpha", "io.example.alpha.v1")
BETA = Slot("beta", "io.example.beta.v1")
"""


class Site:
    """Where distributions are installed for one test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: set[str] = set()
        groups = {"moorage.slots": {"alpha": "site_slots:ALPHA", "beta": "site_slots:BETA"}}
        self.add("moorage-site", groups, {"site_slots": SLOTS})

    def add(self, name: str, groups: Mapping[str, Mapping[str, str]], modules: Mapping[str, str]) -> None:
        """Install a distribution: entry points by group, and the source of its modules."""
        info = self.path / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for module, source in modules.items():
            (self.path / f"{module}.py").write_text(source)
            self.modules.add(module)

    def plugin(self, name: str, source: str, slot: str = "alpha", distribution: str = "") -> None:
        """Install one plugin, whose module is ``source`` behind the imports that it needs."""
        module = f"site_{slot}_{name}".replace("-", "_").replace(".", "_")
        head = (
            "from dataclasses import dataclass\nfrom moorage_sdk.slots import *\nfrom moorage_sdk import errors\n"
            "from site_slots import ALPHA, BETA\n"
        )
        groups = {f"moorage.{slot}": {name: f"{module}:plugin"}}
        self.add(distribution or f"moorage-{slot}-{name}", groups, {module: head + source})

    def installed(self) -> Installed:
        return Installed(each for found in distributions(path=[str(self.path)]) for each in found.entry_points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    made = Site(path)
    yield made
    for module in made.modules:
        sys.modules.pop(module, None)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user can reach and write in, which ``tmp_path`` is not."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def nobody() -> Callable[[], AbstractContextManager[None]]:
    """Be uid 65534 for a while, whom the host refuses what it refuses root never."""
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")

    @contextmanager
    def being() -> Iterator[None]:
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)

    return being


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Write configuration files by name; returns the path of the last."""

    def files(**texts: str) -> str:
        path = tmp_path
        for name, text in texts.items():
            path = tmp_path / f"{name}.toml"
            path.write_text(text)
        return str(path)

    return files


@pytest.fixture
def kernel(tmp_path: Path) -> Callable[..., Kernel]:
    """A kernel of plugins in memory."""

    def make(*plugins: Plugin[Any, Any], config: Mapping[str, Any] | None = None, **top: Any) -> Kernel:
        root, state = tmp_path / "root", tmp_path / "state"
        settings = Settings(MOORAGED, Top(str(root), str(state), **top), Merged(dict(config or {})))
        daemon = Daemon(root, state, "0", "mooraged")
        records = []
        for plugin in plugins:
            record = Record(plugin.uri, plugin.slot.name, plugin.id, "moorage-test", plugin=plugin)
            record.config = plugin.config()
            records.append(record)
        return Kernel(settings, daemon, records, Hooks())

    return make


@pytest.fixture
def plugin() -> Callable[..., Plugin[Any, Any]]:
    """A plugin ``slot/id`` that is what ``make`` returns."""

    def make(name: str, make: Any = None, requires: tuple[str, ...] = ()) -> Plugin[Any, Any]:
        slot, _, id = name.partition("/")
        slots = tuple(Slot[Any](each, f"io.example.{each}.v1") for each in requires)
        made = make or (lambda ctx, config: name)
        return Plugin(Slot[Any](slot, f"io.example.{slot}.v1"), id, made, NoConfig, requires=slots)

    return make
