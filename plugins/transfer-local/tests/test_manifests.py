"""Manifests: what is read, what is refused, what is chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage_sdk import errors, platforms
from moorage_sdk.descriptors import (
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
)
from moorage_sdk.platforms import Platform
from moorage_transfer_local import manifests
from moorage_transfer_local.manifests import Entry, Index, Manifest


def digest(n: int) -> str:
    return f"sha256:{n:064x}"


def blob(n: int, media_type: str = OCI_LAYER_GZIP, **more: object) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(n), "size": n, **more}


def described(media_type: str) -> Descriptor:
    return Descriptor(media_type, digest(99), 1)


def read(document: object, media_type: str = OCI_MANIFEST) -> Index | Manifest:
    return manifests.parse(json.dumps(document).encode(), described(media_type))


GOOD = {"schemaVersion": 2, "config": blob(1, OCI_CONFIG), "layers": [blob(2), blob(3, annotations={"a": "b"})]}


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
def test_a_manifest_is_read(media_type: str) -> None:
    found = read(GOOD, media_type)
    assert isinstance(found, Manifest)
    assert found.config == Descriptor(OCI_CONFIG, digest(1), 1)
    assert found.layers[1] == Descriptor(OCI_LAYER_GZIP, digest(3), 3, {"a": "b"})
    assert found.children == (found.config, *found.layers)


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_INDEX])
def test_an_index_is_read(media_type: str) -> None:
    arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
    found = read({"manifests": [blob(1, OCI_MANIFEST, platform=arm), blob(2, OCI_MANIFEST)]}, media_type)
    assert isinstance(found, Index)
    assert [entry.platform for entry in found.entries] == [Platform("linux", "arm", "v7"), None]


@pytest.mark.parametrize(
    ("document", "media_type", "why"),
    [
        ({**GOOD, "manifests": []}, OCI_MANIFEST, "found an index"),
        ({**GOOD, "mediaType": OCI_INDEX}, OCI_MANIFEST, "found an index"),
        ({"manifests": [], "layers": []}, OCI_INDEX, "found a manifest"),
        ({"manifests": [], "config": None}, OCI_INDEX, "found a manifest"),
        ({"manifests": [], "mediaType": DOCKER_MANIFEST}, DOCKER_INDEX, "found a manifest"),
        ({**GOOD, "fsLayers": [1]}, OCI_MANIFEST, "schema 1"),
        (GOOD, "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        (GOOD, "text/html", "neither an index nor a manifest"),
        ({"layers": []}, OCI_MANIFEST, "not an object"),
        ({"config": blob(1), "layers": {}}, OCI_MANIFEST, '"layers" is not a list'),
        ({"config": blob(1), "layers": [None]}, OCI_MANIFEST, "not an object"),
        ({"manifests": None}, OCI_INDEX, '"manifests" is not a list'),
        ({"manifests": [blob(1)] * 5000}, OCI_INDEX, "at most"),
        ({"manifests": [blob(1, platform=[])]}, OCI_INDEX, "platform"),
        ({"manifests": [blob(1, platform={"os": 1})]}, OCI_INDEX, "platform"),
    ],
)
def test_what_is_ambiguous_is_refused(document: object, media_type: str, why: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        read(document, media_type)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        *({"size": -1}, {"size": 1.5}, {"size": "1"}, {"size": True}, {"size": 1 << 70}, {"size": None}),
        *({"mediaType": None}, {"digest": None}, {"digest": "sha256:"}, {"digest": "sha256:../../etc/passwd"}),
        *({"digest": digest(1).upper()}, {"digest": "md5:" + "0" * 32}, {"digest": digest(1) + "\n"}),
        *({"annotations": [1]}, {"annotations": {"a": 1}}),
    ],
)
def test_a_bad_descriptor_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(errors.InvalidArgument):
        read({**GOOD, "config": {**blob(1), **change}})


def test_layers_may_be_null() -> None:
    found = read({"config": blob(1), "layers": None})
    assert isinstance(found, Manifest)
    assert found.layers == ()


def test_a_configuration_is_read() -> None:
    document = {"os": "linux", "architecture": "x86_64", "rootfs": {"type": "layers", "diff_ids": [digest(1)]}}
    found = manifests.parse_config(json.dumps(document).encode(), described(OCI_CONFIG))
    assert found.platform == Platform("linux", "amd64")
    assert found.diff_ids == (digest(1),)


@pytest.mark.parametrize(
    "rootfs", [None, {}, {"diff_ids": None}, {"diff_ids": [1]}, {"diff_ids": ["x"]}, {"diff_ids": "sha256:"}, []]
)
def test_a_configuration_without_diff_ids_is_refused(rootfs: object) -> None:
    with pytest.raises(errors.InvalidArgument):
        manifests.parse_config(json.dumps({"rootfs": rootfs}).encode(), described(OCI_CONFIG))


class TestChoice:
    def entries(self, *names: str) -> list[Entry]:
        return [
            Entry(Descriptor(OCI_MANIFEST, digest(n), 1), platforms.parse(name) if name else None)
            for n, name in enumerate(names)
        ]

    def chosen(self, wanted: list[str], *names: str) -> list[int]:
        found = manifests.choose(self.entries(*names), [platforms.parse(name) for name in wanted])
        return [int(entry.descriptor.digest[-4:], 16) for entry in found]

    def test_all_without_a_wish(self) -> None:
        assert self.chosen([], "linux/amd64", "linux/arm64", "") == [0, 1, 2]

    def test_the_best_for_each_wish(self) -> None:
        assert self.chosen(["linux/arm/v7"], "linux/arm/v5", "linux/arm/v7", "linux/arm/v6") == [1]
        assert self.chosen(["linux/arm/v6"], "linux/arm/v5", "linux/arm/v7") == [0]
        assert self.chosen(["linux/amd64", "linux/arm64"], "linux/arm64", "linux/s390x", "linux/amd64") == [2, 0]

    def test_the_first_of_equals(self) -> None:
        assert self.chosen(["linux/amd64"], "windows/amd64", "linux/amd64", "linux/amd64") == [1]

    def test_those_without_a_platform_when_nothing_fits(self) -> None:
        assert self.chosen(["linux/amd64"], "", "linux/arm64", "") == [0, 2]
        assert self.chosen(["linux/amd64"], "", "linux/amd64") == [1]

    def test_nothing_when_nothing_fits(self) -> None:
        assert self.chosen(["linux/amd64"], "linux/arm64", "unknown/unknown") == []


def test_labels_name_all_children() -> None:
    children = [
        Descriptor(OCI_CONFIG, digest(1), 1),
        Descriptor(OCI_LAYER_GZIP, digest(2), 1),
        Descriptor(DOCKER_LAYER_GZIP, digest(3), 1),
        Descriptor("application/x", digest(4), 1),
        Descriptor(OCI_MANIFEST, digest(5), 1),
        Descriptor(OCI_INDEX, digest(6), 1),
        Descriptor("application/x", digest(7), 1, {"io.containerd.manifest.subject": "s"}),
    ]
    prefix = "containerd.io/gc.ref.content"
    assert manifests.reference_labels(children) == {
        f"{prefix}.config": digest(1),
        f"{prefix}.l.0": digest(2),
        f"{prefix}.l.1": digest(3),
        f"{prefix}.0": digest(4),
        f"{prefix}.m.0": digest(5),
        f"{prefix}.1": digest(6),
        f"{prefix}.referrer.sha256.000000000000": digest(7),
    }


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [
        *((OCI_MANIFEST, "manifest"), (OCI_INDEX, "index"), (OCI_LAYER_GZIP, "layer"), (OCI_CONFIG, "config")),
        *(("application/vnd.in-toto+json", "attestation"), ("text/plain", "unknown")),
    ],
)
def test_ingests_are_named_as_clients_name_them(media_type: str, kind: str) -> None:
    assert manifests.ingest_reference(Descriptor(media_type, digest(1), 1)) == f"{kind}-{digest(1)}"
    named = Descriptor(media_type, digest(1), 1, {"org.opencontainers.image.ref.name": "v1"})
    assert manifests.ingest_reference(named) == f"{kind}-v1@{digest(1)}"


def test_a_platform_alone_can_be_read_of_a_configuration() -> None:
    target = Descriptor(OCI_CONFIG, digest(1), 1)
    read = manifests.parse_platform(b'{"os":"Linux","architecture":"aarch64","variant":"v8"}', target)
    assert (read.os, read.architecture, read.variant) == ("linux", "arm64", "")
    assert manifests.parse_platform(b"{}", target).os == "linux"
    with pytest.raises(errors.InvalidArgument, match="platform is malformed"):
        manifests.parse_platform(b'{"os":1}', target)
