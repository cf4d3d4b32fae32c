"""From messages to the values of the slot."""

from __future__ import annotations

import io

import pytest

from moorage_api.messages import transfer_types, types
from moorage_sdk import errors, platforms
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Export, ExtraName, Import, Store, Unpack
from moorage_services import ends

REFERENCE = "a.io/b:c"
ARM = types.Platform(os="linux", architecture="arm64")
NAMES = [
    transfer_types.ImageReference(name="also"),
    transfer_types.ImageReference(name="p", is_prefix=True, allow_overwrite=True, add_digest=True),
    transfer_types.ImageReference(name="q", is_prefix=True, skip_named_digest=True),
]
EXTRA = (ExtraName("also"), ExtraName("p", True, True, True, False), ExtraName("q", True, False, False, True))


def test_a_pull_asks_whether_it_is_still_wanted() -> None:
    source, store = transfer_types.OCIRegistry(reference=REFERENCE), transfer_types.ImageStore()
    assert ends.to_pull(source, store, None, lambda: True).cancelled()


def test_a_pull_gets_its_further_names() -> None:
    source = transfer_types.OCIRegistry(reference=REFERENCE)
    store = transfer_types.ImageStore(name="n", extra_references=NAMES)
    assert ends.to_pull(source, store, None, lambda: False).extra_names == EXTRA


def test_a_store_is_all_that_the_client_asked_for() -> None:
    message = transfer_types.ImageStore(
        name="n",
        labels={"l": "m"},
        platforms=[ARM],
        all_metadata=True,
        manifest_limit=3,
        extra_references=NAMES,
        unpacks=[
            transfer_types.UnpackConfiguration(platform=ARM, snapshotter="native"),
            transfer_types.UnpackConfiguration(),
        ],
    )
    arm = Platform("linux", "arm64")
    unpacks = (Unpack(arm, "native"), Unpack(platforms.host(), ""))
    assert ends.to_store(message) == Store("n", {"l": "m"}, EXTRA, (arm,), unpacks, True, 3)
    assert ends.to_store(transfer_types.ImageStore()) == Store()


def test_an_import_is_what_the_client_asked_for() -> None:
    archive = transfer_types.ImageImportStream(stream="s", media_type="m", force_compress=True)
    source = io.BytesIO()
    wanted = ends.to_import(archive, transfer_types.ImageStore(name="n"), source, bool)
    assert wanted == Import(source, Store("n"), "m", True, bool)


def test_an_export_is_what_the_client_asked_for() -> None:
    sink = io.BytesIO()
    archive = transfer_types.ImageExportStream(
        stream="s", platforms=[ARM], all_platforms=True, skip_compatibility_manifest=True, skip_non_distributable=True
    )
    store = transfer_types.ImageStore(name="n", extra_references=NAMES[:1])
    wanted = ends.to_export(store, archive, sink, bool)
    assert wanted == Export(("n", "also"), sink, (Platform("linux", "arm64"),), True, True, True, bool)
    assert ends.to_export(transfer_types.ImageStore(), transfer_types.ImageExportStream(), sink, bool).names == ()


def test_an_export_by_prefix_is_unimplemented_as_with_containerd() -> None:
    store = transfer_types.ImageStore(extra_references=NAMES)
    with pytest.raises(errors.Unimplemented, match="prefix lookup"):
        ends.to_export(store, transfer_types.ImageExportStream(), io.BytesIO(), bool)
