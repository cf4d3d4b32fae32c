"""Values of the slot as messages."""

from __future__ import annotations

import io

from moorage_client import requests
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Export, ExtraName, Pull, Store, Unpack

ARM = Platform("linux", "arm64", "v8")


def test_a_store_is_told_whole() -> None:
    extra = (ExtraName("a"), ExtraName("p", True, True, True, True))
    message = requests.store(Store("n", {"l": "m"}, extra, (ARM,), [Unpack(ARM, "native")], True, 3))
    assert (message.name, dict(message.labels), message.all_metadata, message.manifest_limit) == (
        "n", {"l": "m"}, True, 3,
    )  # fmt: skip
    assert [(each.os, each.architecture, each.variant) for each in message.platforms] == [("linux", "arm64", "v8")]
    [unpack] = message.unpacks
    assert (unpack.platform.architecture, unpack.snapshotter) == ("arm64", "native")
    first, second = message.extra_references
    assert (first.name, first.is_prefix, first.add_digest) == ("a", False, False)
    assert second.is_prefix and second.allow_overwrite and second.add_digest and second.skip_named_digest


def test_a_pull_is_named_after_its_reference_unless_told() -> None:
    assert requests.pulled(Pull("a.io/b:c")).name == "a.io/b:c"
    message = requests.pulled(Pull("a.io/b:c", "n", (ARM,), labels={"l": "m"}, all_metadata=True))
    assert (message.name, dict(message.labels), message.all_metadata) == ("n", {"l": "m"}, True)
    assert requests.pulled(Pull("a", extra_names=(ExtraName("x"),))).extra_references[0].name == "x"


def test_an_export_names_its_images_and_its_stream() -> None:
    store, archive = requests.exported(Export(("a", "b"), io.BytesIO(), (ARM,), True, True, True), "s")
    assert (store.name, [each.name for each in store.extra_references]) == ("", ["a", "b"])
    assert (archive.stream, archive.platforms[0].architecture) == ("s", "arm64")
    assert archive.all_platforms and archive.skip_compatibility_manifest and archive.skip_non_distributable
