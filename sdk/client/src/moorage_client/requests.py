"""The ends of a transfer as messages (``containerd.types.transfer``)."""

from __future__ import annotations

from dataclasses import asdict, replace

from moorage_api.convert import platforms
from moorage_api.messages import transfer_types
from moorage_sdk.transfers import Export, Pull, Store, Unpack


def pulled(pull: Pull) -> transfer_types.ImageStore:
    wanted = Store(pull.name or pull.reference, pull.labels, pull.extra_names, pull.platforms, pull.unpacks)
    return store(replace(wanted, all_metadata=pull.all_metadata))


def store(wanted: Store) -> transfer_types.ImageStore:
    return transfer_types.ImageStore(
        name=wanted.name,
        labels=wanted.labels,
        platforms=[platforms.to_message(each) for each in wanted.platforms],
        unpacks=[_unpack(each) for each in wanted.unpacks],
        extra_references=[transfer_types.ImageReference(**asdict(each)) for each in wanted.extra_names],
        all_metadata=wanted.all_metadata,
        manifest_limit=wanted.manifest_limit,
    )


def _unpack(unpack: Unpack) -> transfer_types.UnpackConfiguration:
    platform = platforms.to_message(unpack.platform)
    return transfer_types.UnpackConfiguration(platform=platform, snapshotter=unpack.snapshotter)


def exported(export: Export, stream: str) -> tuple[transfer_types.ImageStore, transfer_types.ImageExportStream]:
    names = [transfer_types.ImageReference(name=name) for name in export.names]
    archive = transfer_types.ImageExportStream(
        stream=stream,
        platforms=[platforms.to_message(each) for each in export.platforms],
        all_platforms=export.all_platforms,
        skip_compatibility_manifest=export.skip_compatibility_manifest,
        skip_non_distributable=export.skip_non_distributable,
    )
    return transfer_types.ImageStore(extra_references=names), archive
