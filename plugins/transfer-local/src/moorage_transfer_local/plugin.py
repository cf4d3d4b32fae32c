"""Registers the transfer ``local``: ``io.containerd.transfer.v1.local``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moorage_sdk import errors, platforms
from moorage_sdk.differs import DIFFER, Differ
from moorage_sdk.durations import Duration
from moorage_sdk.metadata import METADATA
from moorage_sdk.slots import InitContext, Plugin
from moorage_sdk.snapshots import SNAPSHOTTER
from moorage_sdk.transfers import TRANSFER, Transfer
from moorage_transfer_local.options import Options
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transfers import LocalTransfer
from moorage_transfer_local.transports import Timeouts

DEFAULT_DIFFER = "walking"
"""``defaults/defaults_differ_unix.go`` in containerd v2.3."""

MANY = 32
FIVE_MINUTES = Duration(300)


@dataclass(frozen=True)
class UnpackConfig:
    """How images of one platform are unpacked."""

    platform: str = ""
    """``os/architecture[/variant]``; empty is this machine."""
    snapshotter: str = ""
    """Empty is the daemon's default."""
    differ: str = ""
    """The differ for this snapshotter, or for any where none is named; empty tries all, ``walking`` first."""

    def __post_init__(self) -> None:
        if self.platform:
            platforms.parse(self.platform)


@dataclass(frozen=True)
class Config:
    max_concurrent_downloads: int = 3
    """Blobs downloaded at once, over all pulls; 0 for as many as there are threads for."""
    max_concurrent_uploaded_layers: int = 3
    """Blobs and manifests uploaded at once, over all pushes; 0 for as many as there are threads for."""
    max_concurrent_unpacks: int = 1
    """Layers of one image unpacked at once; more than 1 takes effect where the snapshotter can rebase."""
    check_platform_supported: bool = False
    """Unpack only what is for the platform asked for, not just for its operating system."""
    unpack_config: tuple[UnpackConfig, ...] = ()
    """The first entry for this machine names the snapshotter for unpackings that name none."""
    config_path: str = ""
    """Directories of registry configurations (``certs.d``), joined by colons."""
    progress_timeout: Duration = FIVE_MINUTES
    """Time without progress after which a download or upload is given up and resumed."""
    token_realms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By registry: further ``host[:port]`` of token servers that may be sent its passwords."""

    def __post_init__(self) -> None:
        if self.progress_timeout <= 0:
            raise ValueError("progress_timeout must be positive")


def make(ctx: InitContext, config: Config) -> Transfer:
    metadata = ctx.one(METADATA)
    differs = ctx.all(DIFFER)
    options = Options(
        downloads=config.max_concurrent_downloads if config.max_concurrent_downloads > 0 else MANY,
        uploads=config.max_concurrent_uploaded_layers if config.max_concurrent_uploaded_layers > 0 else MANY,
        unpacks=config.max_concurrent_unpacks,
        strict_platform=config.check_platform_supported,
        config_path=config.config_path,
        snapshotter=lambda: configured_snapshotter(config.unpack_config) or metadata.default_snapshotter,
        differs=lambda snapshotter: differs_for(snapshotter, config.unpack_config, differs),
        rebases=lambda snapshotter: "rebase" in _capabilities(ctx, f"{SNAPSHOTTER.type}.{snapshotter}"),
        token_realms=lambda host: config.token_realms.get(host, ()),
        settings=Settings(Timeouts(progress=config.progress_timeout), agent=f"moorage/{ctx.daemon.version}"),
    )
    return LocalTransfer(metadata.view, options)


def configured_snapshotter(entries: Sequence[UnpackConfig]) -> str:
    """What the first entry for this machine says of an unpacking that names none, "" for nothing."""
    here = platforms.host()
    fitting = [entry for entry in entries if not entry.platform or _fits(here, entry.platform)]
    return fitting[0].snapshotter if fitting else ""


def differs_for(snapshotter: str, entries: Sequence[UnpackConfig], differs: Mapping[str, Differ]) -> list[Differ]:
    """The differs to try for a snapshotter. Raises errors.FailedPrecondition for one that is configured and absent."""
    for entry in entries:
        if entry.snapshotter in ("", snapshotter) and entry.differ:
            if entry.differ not in differs:
                raise errors.FailedPrecondition(f'differ "{entry.differ}": not working: failed precondition')
            return [differs[entry.differ]]
    return [differs[name] for name in sorted(differs, key=lambda name: (name != DEFAULT_DIFFER, name))]


def _fits(here: platforms.Platform, specifier: str) -> bool:
    return platforms.preference(here, platforms.parse(specifier)) is not None


def _capabilities(ctx: InitContext, uri: str) -> tuple[str, ...]:
    return next((status.capabilities for status in ctx.statuses() if status.uri == uri), ())


plugin = Plugin(TRANSFER, "local", make, Config, requires=(METADATA, DIFFER))
