import pytest

from moorage_sdk import descriptors


@pytest.mark.parametrize(
    ("media_type", "layer", "compression"),
    [
        (descriptors.OCI_LAYER, True, ""),
        (descriptors.OCI_LAYER_GZIP, True, "gzip"),
        (descriptors.OCI_LAYER_ZSTD, True, "zstd"),
        (descriptors.DOCKER_LAYER, True, ""),
        (descriptors.DOCKER_LAYER_GZIP, True, "gzip"),
        (descriptors.DOCKER_LAYER_ZSTD, True, "zstd"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True, "gzip"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True, "gzip"),
        (descriptors.OCI_MANIFEST, False, ""),
        (descriptors.DOCKER_CONFIG, False, ""),
        ("", False, ""),
    ],
)
def test_media_types(media_type: str, layer: bool, compression: str) -> None:
    assert descriptors.is_layer(media_type) is layer
    assert descriptors.compression(media_type) == compression


@pytest.mark.parametrize(
    ("media_type", "free"),
    [
        (descriptors.OCI_LAYER_GZIP, True),
        (descriptors.DOCKER_LAYER_GZIP, True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", False),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", False),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", False),
        ("text/plain", True),
    ],
)
def test_some_may_not_be_distributed(media_type: str, free: bool) -> None:
    assert descriptors.is_distributable(media_type) is free


def test_no_type_is_of_two_kinds() -> None:
    assert not descriptors.INDEXES & descriptors.MANIFESTS
    assert not descriptors.CONFIGS & (descriptors.INDEXES | descriptors.MANIFESTS)
