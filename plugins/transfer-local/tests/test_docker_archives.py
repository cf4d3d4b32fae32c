"""Lists of ``docker save``: the manifests that are made of them, and lists that say nonsense."""

from __future__ import annotations

import gzip
import io
import json
import sys
from typing import Any

import pytest

from moorage_sdk import digests, errors, labels
from moorage_sdk.content import Info
from moorage_sdk.descriptors import DOCKER_LAYER, DOCKER_LAYER_GZIP, DOCKER_LAYER_ZSTD
from moorage_testkit.archives import Tar
from moorage_testkit.fakes.content import MemoryStore
from moorage_transfer_local import archives
from moorage_transfer_local.docker_archives import Converter
from moorage_transfer_local.names import IMAGE_NAME, REF_NAME
from moorage_transfer_local.stops import Stop

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CONFIG = json.dumps({"os": "linux", "architecture": "arm64", "rootfs": {"diff_ids": []}}).encode()
LAYER = b"layer " * 1000
ENTRY = {"Config": "c.json", "RepoTags": ["busybox"], "Layers": ["l/layer.tar"]}


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def saved(*entries: Any, layer: bytes = LAYER, config: bytes = CONFIG) -> Tar:
    tar = Tar().file("l/layer.tar", layer).file("c.json", config).file("repositories", b"{}")
    return tar.file("manifest.json", json.dumps(entries).encode())


def converted(store: MemoryStore, tar: Tar, *, compress: bool = False) -> list[dict[str, Any]]:
    """The entries of the index."""
    archive = archives.read(io.BytesIO(tar.end()), store, Stop(), compressed=True)
    index = Converter(archive, store, Stop(), compress).index()
    assert digests.of(store.blobs[index.digest]) == index.digest
    found: list[dict[str, Any]] = json.loads(store.blobs[index.digest])["manifests"]
    return found


def layers(store: MemoryStore, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(store.blobs[entries[0]["digest"]])["layers"]
    return found


def test_every_tag_is_an_entry(store: MemoryStore) -> None:
    entries = converted(store, saved({**ENTRY, "RepoTags": ["busybox", "a.io/b:1"]}, {**ENTRY, "RepoTags": None}))
    assert len({entry["digest"] for entry in entries}) == 1
    assert [entry.get("annotations") for entry in entries] == [
        {IMAGE_NAME: "docker.io/library/busybox:latest", REF_NAME: "latest"},
        {IMAGE_NAME: "a.io/b:1", REF_NAME: "1"},
        None,
    ]
    assert all(entry["platform"] == {"architecture": "arm64", "os": "linux"} for entry in entries)


@pytest.mark.parametrize(
    ("layer", "media_type"),
    [
        (LAYER, DOCKER_LAYER),
        (gzip.compress(LAYER), DOCKER_LAYER_GZIP),
        (zstd.compress(LAYER), DOCKER_LAYER_ZSTD),
        (b"", DOCKER_LAYER),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_the_bytes_of_a_layer_tell_its_type(store: MemoryStore, layer: bytes, media_type: str, compress: bool) -> None:
    if compress and layer == LAYER:
        return
    [found] = layers(store, converted(store, saved(ENTRY, layer=layer), compress=compress))
    assert (found["mediaType"], found["digest"], found["size"]) == (media_type, digests.of(layer), len(layer))


def test_plain_layers_can_be_compressed_and_are_once(store: MemoryStore) -> None:
    tar = saved({**ENTRY, "Layers": ["l/layer.tar", "l/layer.tar"]}, {**ENTRY, "Layers": ["l/layer.tar"]})
    first, second = layers(store, converted(store, tar, compress=True))
    assert first == second
    assert first["mediaType"] == DOCKER_LAYER_GZIP
    packed = store.blobs[first["digest"]]
    assert (gzip.decompress(packed), first["size"]) == (LAYER, len(packed))
    assert store.info(first["digest"]).labels == {labels.UNCOMPRESSED: digests.of(LAYER)}
    assert store.ingests == {}


def test_a_compressed_layer_that_is_there_is_used(store: MemoryStore) -> None:
    packed = gzip.compress(LAYER, 1)
    with store.writer("pulled") as writer:
        writer.write(packed)
        writer.commit()
    store.update(Info(digests.of(packed), labels={labels.UNCOMPRESSED: digests.of(LAYER)}))
    [found] = layers(store, converted(store, saved(ENTRY)))
    assert (found["mediaType"], found["digest"], found["size"]) == (
        DOCKER_LAYER_GZIP, digests.of(packed), len(packed),
    )  # fmt: skip


def test_layers_behind_links_are_found(store: MemoryStore) -> None:
    tar = saved({**ENTRY, "Layers": ["m/layer.tar"]}).symlink("m/layer.tar", "../l/layer.tar")
    [found] = layers(store, converted(store, tar))
    assert found["digest"] == digests.of(LAYER)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({**ENTRY, "Config": "none.json"}, 'image config "none.json" not found'),
        ({**ENTRY, "Layers": ["none.tar"]}, 'layer "none.tar" not found'),
        ({**ENTRY, "Layers": ["/etc/hostname"]}, "not found"),
        ({**ENTRY, "Config": None}, "Config"),
        ({**ENTRY, "Layers": "l/layer.tar"}, "Layers"),
        ({**ENTRY, "Layers": [1]}, "Layers"),
        ({**ENTRY, "Layers": ["l/layer.tar"] * 4097}, "Layers"),
        ({**ENTRY, "RepoTags": ["UPPER CASE"]}, "reference"),
        ({**ENTRY, "Config": "l/layer.tar"}, "JSON"),
        ("c.json", "Config"),
        (None, "Config"),
    ],
)
def test_lists_that_say_nonsense(store: MemoryStore, entry: Any, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        converted(store, saved(entry))


def test_an_empty_list_holds_no_image(store: MemoryStore) -> None:
    with pytest.raises(errors.InvalidArgument, match="holds no image"):
        converted(store, saved())


def test_sec_32_a_configuration_has_a_limit(store: MemoryStore) -> None:
    with pytest.raises(errors.ResourceExhausted, match="limit"):
        converted(store, saved(ENTRY, config=b" " * ((8 << 20) + 1)))
