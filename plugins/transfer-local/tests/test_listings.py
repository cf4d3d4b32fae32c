"""Documents as Go writes them; the expected bytes are containerd's."""

from __future__ import annotations

from moorage_sdk.descriptors import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST, Descriptor
from moorage_sdk.platforms import Platform
from moorage_transfer_local import listings
from moorage_transfer_local.manifests import Entry

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_a_manifest() -> None:
    written = listings.docker_manifest(Descriptor(DOCKER_CONFIG, A, 1), [Descriptor(DOCKER_LAYER, B, 2)])
    assert written == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
        b'"config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"%s","size":1},'
        b'"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","digest":"%s","size":2}]}'
    ) % (A.encode(), B.encode())
    assert listings.docker_manifest(Descriptor(DOCKER_CONFIG, A, 1), []).endswith(b'"layers":[]}')


def test_an_index_of_ours_says_no_type_and_sorts_annotations() -> None:
    target = Descriptor(DOCKER_MANIFEST, A, 3, {"z": "<&>", "a": "ü"})
    platform = Platform("linux", "arm", "v7", "1.2")
    assert (
        listings.index([Entry(target, platform)])
        == (
            '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.docker.distribution.manifest.v2+json",'
            f'"digest":"{A}","size":3,"annotations":{{"a":"ü","z":"\\u003c\\u0026\\u003e"}},'
            '"platform":{"architecture":"arm","os":"linux","os.version":"1.2","variant":"v7"}}]}'
        ).encode()
    )


def test_the_index_of_a_layout_says_its_type() -> None:
    assert listings.layout_index([]) == (
        b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
    )
