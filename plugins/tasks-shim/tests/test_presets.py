"""What presets are asked for, and that nobody gets around them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors, sandboxes, tasks
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.presets import RuntimePreset
from moorage_tasks_shim.carriers import Carriers
from moorage_tasks_shim.presets import Presets
from moorage_testkit import programs

OPTIONS = Payload("runtimeoptions.v1.Options", b"told")
SPEC = b'{"annotations": {"bad": "x"}}'


class Gentle(RuntimePreset):
    """Takes away the annotation ``bad``, tells options, and refuses what is called ``refused``."""

    def __init__(self, *names: str, path: str = "") -> None:
        self._names, self._path = names, path
        self.asked: list[tuple[str, str]] = []

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def program(self, runtime: str) -> str:
        return self._path or runtime

    def prepare(self, namespace: str, creation: tasks.Creation) -> tasks.Creation:
        self.asked.append((namespace, creation.id))
        if creation.id == "refused":
            raise errors.InvalidArgument("refused: invalid argument")
        return replace(creation, spec=b'{"annotations": {}}', options=OPTIONS)

    def prepare_sandbox(self, namespace: str, creation: sandboxes.Creation) -> sandboxes.Creation:
        self.asked.append((namespace, creation.sandbox.id))
        return replace(creation, annotations={}, sandbox=replace(creation.sandbox, runtime=Runtime("r", OPTIONS)))


def test_by_name_and_by_path() -> None:
    kata = Gentle("io.containerd.kata.v2", "io.containerd.kata-qemu.v2", path="/opt/kata/bin/containerd-shim-kata-v2")
    presets = Presets({"kata": kata})
    for runtime in ("io.containerd.kata.v2", "/usr/bin/containerd-shim-kata-v2", "/x/containerd-shim-kata-qemu-v2"):
        assert presets.find(runtime) is kata, runtime
    for runtime in ("io.containerd.runc.v2", "/usr/bin/containerd-shim-runc-v2", "containerd-shim-kata-v2", ""):
        assert presets.find(runtime) is None, runtime
    assert presets.program("io.containerd.kata-qemu.v2") == "/opt/kata/bin/containerd-shim-kata-v2"
    assert presets.program("/usr/bin/containerd-shim-kata-v2") == "/usr/bin/containerd-shim-kata-v2"
    assert presets.program("io.containerd.runc.v2") == "io.containerd.runc.v2"


def test_the_first_preset_of_a_name_has_it() -> None:
    one, two = Gentle("a.b"), Gentle("a.b", "c.d")
    presets = Presets({"one": one, "two": two})
    assert (presets.find("a.b"), presets.find("c.d")) == (one, two)


def under(carriers: Carriers, presets: Presets) -> None:
    carriers.presets = presets


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Path]:
    yield programs.shim(tmp_path)
    for id in ("c", "pod"):
        with suppress(OSError):
            programs.kill(tmp_path, id)


def test_a_task_is_made_of_what_the_preset_says(house: Callable[..., Any], tmp_path: Path, shim: Path) -> None:
    preset = Gentle("io.containerd.other.v1", path=str(shim))

    async def run() -> None:
        made = house()
        under(made.registry.carriers, Presets({"p": preset}))
        with pytest.raises(errors.InvalidArgument, match="refused"):
            await made.manager.create("ns", tasks.Creation("refused", "io.containerd.other.v1", SPEC))
        assert not (tmp_path / "calls").exists()
        await made.manager.create("ns", tasks.Creation("c", "io.containerd.other.v1", SPEC))
        bundle = made.bundles.bundle("ns", "c")
        assert json.loads(Path(bundle.path, "config.json").read_text()) == {"annotations": {}}
        assert made.registry.get("ns", "c").record.runtime == "io.containerd.other.v1"
        assert made.registry.get("ns", "c").record.binary == str(shim)
        await made.manager.delete("ns", "c")
        made.registry.close()

    asyncio.run(run())
    assert preset.asked == [("ns", "refused"), ("ns", "c")]


def test_others_are_none_of_its_business(house: Callable[..., Any]) -> None:
    preset = Gentle("io.containerd.other.v1")

    async def run() -> None:
        made = house()
        async with made.shim:
            under(made.registry.carriers, Presets({"p": preset}))
            await made.manager.create("ns", tasks.Creation("c", "io.containerd.runc.v2", SPEC))
            assert Path(made.bundles.bundle("ns", "c").path, "config.json").read_bytes() == SPEC
            made.registry.close()

    asyncio.run(run())
    assert preset.asked == []


def test_a_sandbox_is_made_of_what_the_preset_says(pods: Callable[..., Any], tmp_path: Path, shim: Path) -> None:
    preset = Gentle("io.containerd.other.v1", path=str(shim))

    async def run() -> None:
        made = pods()
        under(made.registry.carriers, Presets({"p": preset}))
        sandbox = sandboxes.Sandbox("pod", Runtime("io.containerd.other.v1"))
        await made.controller.create("ns", sandboxes.Creation(sandbox, annotations={"bad": "x"}))
        assert made.pods.get("ns", "pod").record.runtime == "io.containerd.other.v1"
        await made.controller.shutdown("ns", "pod")
        made.close()

    asyncio.run(run())
    assert preset.asked == [("ns", "pod")]
