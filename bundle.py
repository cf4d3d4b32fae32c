"""Metadata hook of the root wheel: every member of the tree becomes a dependency of ``moorage``.

A working copy refers to its members by folder; a release (``MOORAGE_RELEASE=1``) pins them by version, as an index
needs it. Members are found by one glob, so that adding a folder adds a distribution.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

DEFAULT = ("sdk/*", "core", "plugins/*")
ON_REQUEST = ("plugins_ext/*",)
KIT = "moorage-testkit"
"""The testkit is for those who write plugins; a host that runs containers does without its dependencies."""


class Bundle(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        members = {name: self.pin(name, version, folder) for name, version, folder in self.members(DEFAULT)}
        kit = [members.pop(KIT)] if KIT in members else []
        extras = {n.removeprefix("moorage-"): [self.pin(n, v, d)] for n, v, d in self.members(ON_REQUEST)}
        metadata["dependencies"] = sorted(members.values())
        metadata["optional-dependencies"] = {**extras, "ext": sorted(chain(*extras.values())), "testkit": kit}

    def members(self, patterns: tuple[str, ...]) -> Iterator[tuple[str, str, Path]]:
        """Name, version and folder of each member that matches."""
        for pattern in patterns:
            for file in sorted(Path(self.root).glob(f"{pattern}/pyproject.toml")):
                project = tomllib.loads(file.read_text("utf-8"))["project"]
                yield project["name"], project["version"], file.parent

    def pin(self, name: str, version: str, folder: Path) -> str:
        if os.environ.get("MOORAGE_RELEASE"):
            return f"{name}=={version}"
        return f"{name} @ {folder.resolve().as_uri()}"
