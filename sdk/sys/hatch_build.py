"""Compiles the accelerator where that is possible; without it the same things are done in Python.

Objects are built in a temporary directory, for a ``build`` folder that is kept would bring old ones back.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "moorage_sys._tar_runs"
DECLARATION = """
size_t extract_run(int root, const char *data, size_t size, size_t room, size_t *made, size_t *folders,
                   size_t *folder_count);
"""
REQUIRED = "MOORAGE_REQUIRE_COMPILER"


class Accelerator(BuildHookInterface[Any]):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raises what compiling raises only where ``MOORAGE_REQUIRE_COMPILER`` is set (to anything but 0)."""
        folder = Path(self.root, "src", "moorage_sys")
        self._scratch = tempfile.mkdtemp(prefix="moorage-sys-")
        try:
            built = self._compile(Path(self._scratch))
        except Exception as error:
            # Distutils and cffi raise whatever they like, SystemExit not among it.
            if os.environ.get(REQUIRED, "0") != "0":
                shutil.rmtree(self._scratch, ignore_errors=True)
                raise
            self.app.display_warning(f"moorage-sys: no unpack accelerator, layers unpack slower: {error}")
            return
        if version == "editable":
            shutil.copy(built, folder / built.name)
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"][str(built)] = f"moorage_sys/{built.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _compile(self, scratch: Path) -> Path:
        from cffi import FFI

        builder = FFI()
        builder.cdef(DECLARATION)
        source = Path(self.root, "accelerator", "tar_runs.c").read_text("utf-8")
        builder.set_source(MODULE, source, extra_compile_args=["-O2"])
        return Path(builder.compile(tmpdir=str(scratch)))
