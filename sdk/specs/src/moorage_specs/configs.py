"""What an image says about the containers that are made from it (OCI image specification, ``config.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moorage_sdk import digests, platforms
from moorage_sdk.platforms import Platform
from moorage_specs import fields


@dataclass(frozen=True)
class Config:
    """Frozen, for many containers share it (CVE-2021-21334)."""

    platform: Platform
    diff_ids: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()

    @property
    def chain_id(self) -> str:
        """The name of the committed snapshot of all layers, "" for an image without any."""
        return digests.chain_id(list(self.diff_ids)) if self.diff_ids else ""


def of(document: Mapping[str, Any]) -> Config:
    """Every field may be absent or null. Raises errors.InvalidArgument for a layer's digest that is none."""
    inner = document.get("config")
    inner = inner if isinstance(inner, dict) else {}
    rootfs = document.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    volumes = inner.get("Volumes")
    return Config(
        platform=platform(document) or platforms.host(),
        diff_ids=tuple(digests.validate(each) for each in fields.string_list(diff_ids)),
        entrypoint=fields.string_list(inner.get("Entrypoint")),
        command=fields.string_list(inner.get("Cmd")),
        env=fields.string_list(inner.get("Env")),
        working_dir=fields.text(inner.get("WorkingDir")),
        user=fields.text(inner.get("User")),
        stop_signal=fields.text(inner.get("StopSignal")),
        labels=fields.strings(inner.get("Labels")),
        volumes=tuple(volumes) if isinstance(volumes, dict) else (),
    )


def platform(value: Any) -> Platform | None:
    """The platform that a configuration, or an entry of an index, names; None for none."""
    if not isinstance(value, dict) or not fields.text(value.get("os")) or not fields.text(value.get("architecture")):
        return None
    return platforms.normalize(
        Platform(
            value["os"], value["architecture"], fields.text(value.get("variant")), fields.text(value.get("os.version"))
        )
    )
