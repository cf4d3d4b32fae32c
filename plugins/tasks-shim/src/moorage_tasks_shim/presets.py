"""Which preset lends a hand to a runtime, by its name or by the path of its program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moorage_sdk.presets import RuntimePreset
from moorage_tasks_shim import names


class Presets:
    """Presets by the runtime names that they serve."""

    def __init__(self, presets: Mapping[str, RuntimePreset]) -> None:
        self._by_name: dict[str, RuntimePreset] = {}
        self._by_file: dict[str, RuntimePreset] = {}
        for preset in presets.values():
            for name in preset.names:
                self._by_name.setdefault(name, preset)
                # Of its own program, and of the one that the name alone would lead to.
                for leading in (preset.program(name), name):
                    self._by_file.setdefault(_file(leading), preset)

    def find(self, runtime: str) -> RuntimePreset | None:
        """The preset of a runtime; None for one that needs none.

        Whoever names the program by its path gets around nothing, so its file name is enough.
        """
        known = self._by_name.get(runtime)
        return self._by_file.get(Path(runtime).name) if known is None and runtime.startswith("/") else known

    def program(self, runtime: str) -> str:
        """What to look for in place of ``runtime``, a path or a runtime name."""
        preset = self._by_name.get(runtime)
        return preset.program(runtime) if preset else runtime


def _file(runtime: str) -> str:
    return Path(runtime).name if runtime.startswith("/") else names.binary_name(runtime)
