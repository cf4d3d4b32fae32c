"""The two ends of a transfer: from messages (``containerd.types.transfer``) to the values of the slot."""

from __future__ import annotations

from collections.abc import Callable

from moorage_api.convert import platforms
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.platforms import host
from moorage_sdk.transfers import (
    Authority,
    Export,
    ExtraName,
    Import,
    Pull,
    Push,
    Registry,
    Sink,
    Source,
    Store,
    Unpack,
)


def to_pull(
    source: transfer_types.OCIRegistry,
    store: transfer_types.ImageStore,
    authority: Authority | None,
    cancelled: Callable[[], bool],
) -> Pull:
    """Raises errors.Unimplemented for a limit of manifests without platforms to choose them by."""
    wanted = to_store(store)
    if store.manifest_limit and not wanted.platforms:
        raise errors.Unimplemented("manifest limit without platforms: not implemented")
    return Pull(
        reference=source.reference,
        name=wanted.name,
        platforms=wanted.platforms,
        unpacks=wanted.unpacks,
        labels=wanted.labels,
        extra_names=wanted.extra_names,
        registry=_reach(source.resolver, authority),
        all_metadata=wanted.all_metadata,
        cancelled=cancelled,
    )


def to_push(
    store: transfer_types.ImageStore,
    target: transfer_types.OCIRegistry,
    authority: Authority | None,
    cancelled: Callable[[], bool],
) -> Push:
    return Push(
        reference=target.reference,
        name=store.name,
        platforms=tuple(platforms.from_message(platform) for platform in store.platforms),
        registry=_reach(target.resolver, authority),
        cancelled=cancelled,
    )


def to_import(
    archive: transfer_types.ImageImportStream,
    store: transfer_types.ImageStore,
    source: Source,
    cancelled: Callable[[], bool],
) -> Import:
    return Import(source, to_store(store), archive.media_type, archive.force_compress, cancelled)


def to_export(
    store: transfer_types.ImageStore,
    archive: transfer_types.ImageExportStream,
    sink: Sink,
    cancelled: Callable[[], bool],
) -> Export:
    """Raises errors.Unimplemented for images looked up by a prefix, as containerd does."""
    if any(reference.is_prefix for reference in store.extra_references):
        raise errors.Unimplemented("prefix lookup on export not implemented: not implemented")
    return Export(
        names=tuple(filter(None, [store.name, *(reference.name for reference in store.extra_references)])),
        sink=sink,
        platforms=tuple(platforms.from_message(platform) for platform in archive.platforms),
        all_platforms=archive.all_platforms,
        skip_compatibility_manifest=archive.skip_compatibility_manifest,
        skip_non_distributable=archive.skip_non_distributable,
        cancelled=cancelled,
    )


def to_store(store: transfer_types.ImageStore) -> Store:
    return Store(
        name=store.name,
        labels=dict(store.labels),
        extra_names=tuple(_extra(reference) for reference in store.extra_references),
        platforms=tuple(platforms.from_message(platform) for platform in store.platforms),
        unpacks=tuple(_unpack(unpack) for unpack in store.unpacks),
        all_metadata=store.all_metadata,
        manifest_limit=store.manifest_limit,
    )


def _extra(reference: transfer_types.ImageReference) -> ExtraName:
    return ExtraName(
        reference.name,
        reference.is_prefix,
        reference.allow_overwrite,
        reference.add_digest,
        reference.skip_named_digest,
    )


def _reach(resolver: transfer_types.RegistryResolver, authority: Authority | None) -> Registry:
    return Registry(resolver.host_dir, resolver.default_scheme, dict(resolver.headers), authority)


def _unpack(message: transfer_types.UnpackConfiguration) -> Unpack:
    platform = platforms.from_message(message.platform) if message.HasField("platform") else host()
    return Unpack(platform, message.snapshotter)
