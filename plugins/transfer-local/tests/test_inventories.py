from __future__ import annotations

import json
from typing import Any

import pytest

from moorage_sdk import digests, errors, platforms
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from moorage_testkit.fakes.content import MemoryStore
from moorage_transfer_local.inventories import Blob, Inventory, Surveyor, check_size, read
from moorage_transfer_local.manifests import MAX_DEPTH
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import MAX_MANIFEST

LABEL = "containerd.io/distribution.source.reg.io"


def put(store: MemoryStore, media_type: str, data: bytes) -> Descriptor:
    digest = digests.of(data)
    with store.writer(digest, expected=digest) as writer:
        writer.write(data)
        writer.commit(expected=digest)
    return Descriptor(media_type, digest, len(data))


def entry(descriptor: Descriptor, **more: Any) -> dict[str, Any]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size, **more}


def index(store: MemoryStore, *entries: dict[str, Any]) -> Descriptor:
    return put(store, OCI_INDEX, json.dumps({"schemaVersion": 2, "manifests": entries}).encode())


def manifest(store: MemoryStore, name: str, shared: Descriptor) -> tuple[Descriptor, Descriptor, Descriptor]:
    config, layer = put(store, OCI_CONFIG, f'"{name}"'.encode()), put(store, OCI_LAYER, name.encode())
    layers = [entry(shared), entry(layer), entry(layer)]
    return put(store, OCI_MANIFEST, json.dumps({"config": entry(config), "layers": layers}).encode()), config, layer


def survey(store: MemoryStore, target: Descriptor, *wanted: str) -> Inventory:
    tracker = Tracker("x", lambda progress: None)
    return Surveyor(store, tracker, LABEL, [platforms.parse(each) for each in wanted]).survey(target)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_everything_is_there_once(store: MemoryStore) -> None:
    shared = put(store, OCI_LAYER, b"shared")
    one, config, layer = manifest(store, "one", shared)
    two, other, more = manifest(store, "two", shared)
    target = index(store, entry(one), entry(two), entry(one))
    assert survey(store, target) == Inventory(
        tuple(Blob(each) for each in (config, shared, layer, other, more)), (one, two), (target,)
    )


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        (["linux/arm64"], [0]),
        (["linux/arm64/v8"], [0]),
        (["linux/arm"], []),
        (["linux/arm/v6"], [1]),
        (["linux/arm64", "linux/arm/v6"], [0, 1]),
    ],
)
def test_platforms_are_meant_exactly(store: MemoryStore, wanted: list[str], taken: list[int]) -> None:
    shared = put(store, OCI_LAYER, b"shared")
    found = [manifest(store, name, shared)[0] for name in ("arm64", "armv6")]
    target = index(
        store,
        entry(found[0], platform={"os": "linux", "architecture": "arm64"}),
        entry(found[1], platform={"os": "linux", "architecture": "arm", "variant": "v6"}),
    )
    if taken:
        assert survey(store, target, *wanted).manifests == tuple(found[n] for n in taken)
    else:
        with pytest.raises(errors.NotFound, match="no match for platform"):
            survey(store, target, *wanted)


def test_what_has_no_platform_is_for_all(store: MemoryStore) -> None:
    shared = put(store, OCI_LAYER, b"shared")
    one, _, _ = manifest(store, "one", shared)
    target = index(store, entry(one), entry(shared))
    assert survey(store, target, "linux/s390x").manifests == (one,)


def test_blobs_are_where_they_or_their_parents_were_seen(store: MemoryStore) -> None:
    shared = put(store, OCI_LAYER, b"shared")
    one, config, layer = manifest(store, "one", shared)
    target = index(store, entry(one))
    store.update(Info(target.digest, labels={LABEL: "whole"}))
    store.update(Info(shared.digest, labels={LABEL: "part"}))
    assert survey(store, target).blobs == (Blob(config, "whole"), Blob(shared, "part"), Blob(layer, "whole"))


def test_blobs_may_be_missing_and_manifests_not(store: MemoryStore) -> None:
    shared = put(store, OCI_LAYER, b"shared")
    one, _, layer = manifest(store, "one", shared)
    target = index(store, entry(one))
    store.delete(layer.digest)
    assert Blob(layer) in survey(store, target).blobs
    store.delete(one.digest)
    with pytest.raises(errors.NotFound, match=one.digest) as caught:
        survey(store, target)
    assert "platform" in caught.value.hint


def test_indexes_end_somewhere(store: MemoryStore) -> None:
    target = index(store)
    for _ in range(MAX_DEPTH):
        target = index(store, entry(target))
    assert len(survey(store, target).indexes) == MAX_DEPTH + 1
    with pytest.raises(errors.InvalidArgument, match="within each other"):
        survey(store, index(store, entry(target)))


def test_what_is_listed_often_is_read_once(store: MemoryStore) -> None:
    """Otherwise eight indexes that list each other a thousand times would take for ever."""
    inner = index(store)
    targets = [inner]
    for _ in range(MAX_DEPTH):
        targets.append(index(store, *[entry(targets[-1], annotations={"n": str(n)}) for n in range(1000)]))
    assert [found.digest for found in survey(store, targets[-1]).indexes] == [each.digest for each in targets]


def test_documents_are_of_the_size_that_is_said(store: MemoryStore) -> None:
    target = index(store)
    assert json.loads(read(store, target))["manifests"] == []
    with pytest.raises(errors.DataLoss, match="bytes and not 7"):
        read(store, Descriptor(OCI_INDEX, target.digest, 7))
    with pytest.raises(errors.ResourceExhausted):
        read(store, Descriptor(OCI_INDEX, target.digest, MAX_MANIFEST + 1))
    check_size(target.size, target)
