import pytest

from moorage_sdk import sandboxes, tasks
from moorage_sdk.presets import RUNTIME_PRESET, RuntimePreset


def test_a_preset_of_a_few_lines() -> None:
    class Plain(RuntimePreset):
        names = ("io.containerd.plain.v1",)

        def program(self, runtime: str) -> str:
            return runtime

        def prepare(self, namespace: str, creation: tasks.Creation) -> tasks.Creation:
            return creation

        def prepare_sandbox(self, namespace: str, creation: sandboxes.Creation) -> sandboxes.Creation:
            return creation

    assert Plain().program("io.containerd.plain.v1") == "io.containerd.plain.v1"
    with pytest.raises(TypeError, match="prepare_sandbox"):
        RuntimePreset()  # type: ignore[abstract]


def test_the_slot_is_named_after_what_it_is_for() -> None:
    assert (RUNTIME_PRESET.name, RUNTIME_PRESET.type) == ("runtime-preset", "io.containerd.runtime-preset.v1")
