from typing import Any

import pytest

from moorage_client import manifests
from moorage_client.clients import Client
from moorage_client.manifests import Manifest
from moorage_sdk import digests, errors, platforms
from moorage_sdk.descriptors import DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from moorage_sdk.platforms import Platform
from moorage_specs.configs import Config

DIFF = "sha256:" + "d" * 64
LAYER = Descriptor(OCI_LAYER, "sha256:" + "e" * 64, 10)


def listed(blob: Descriptor, **more: Any) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": blob.digest, "size": blob.size, **more}


def image(store: Any, architecture: str, *, os: str = "linux", **config: Any) -> Descriptor:
    document = {"os": os, "architecture": architecture, "rootfs": {"diff_ids": [DIFF]}, "config": config}
    blob = store.add_json(OCI_CONFIG, document)
    attestation = {"mediaType": "application/vnd.in-toto+json", "digest": LAYER.digest, "size": 1}
    return store.add_json(OCI_MANIFEST, {"config": listed(blob), "layers": [listed(LAYER), attestation]})


def select(talk: Any, store: Any, target: Descriptor, wanted: str = "linux/amd64") -> tuple[Manifest, Config]:
    async def work(client: Client) -> tuple[Manifest, Config]:
        return await manifests.select(client.contents, target, platforms.parse(wanted))

    return talk(store.handlers(), work)


def test_a_manifest_alone(talk: Any, store: Any) -> None:
    target = image(store, "amd64", Cmd=["sh"], User="u", Labels={"a": "b"}, Volumes={"/v": {}})
    manifest, config = select(talk, store, target)
    assert manifest.descriptor == target
    assert manifest.layers == (LAYER,)
    assert (config.command, config.user, config.labels, config.volumes) == (("sh",), "u", {"a": "b"}, ("/v",))
    assert config.chain_id == DIFF


def test_an_index_is_searched_for_the_best(talk: Any, store: Any) -> None:
    small, exact = image(store, "386"), image(store, "amd64")
    entries = [
        listed(image(store, "arm64"), platform={"os": "linux", "architecture": "arm64"}),
        listed(small, platform={"os": "linux", "architecture": "386"}),
        listed(exact, platform={"os": "linux", "architecture": "amd64"}),
    ]
    index = store.add_json(OCI_INDEX, {"manifests": entries})
    assert select(talk, store, index)[0].descriptor == exact
    assert select(talk, store, index, "linux/386")[0].descriptor == small


def test_entries_without_a_platform_are_read(talk: Any, store: Any) -> None:
    exact = image(store, "amd64")
    index = store.add_json(OCI_INDEX, {"manifests": [listed(image(store, "s390x")), listed(exact)]})
    assert select(talk, store, index)[0].descriptor == exact


def test_what_was_not_pulled_is_passed_over(talk: Any, store: Any) -> None:
    exact = image(store, "amd64")
    missing = Descriptor(OCI_MANIFEST, digests.of(b"missing"), 7)
    index = store.add_json(OCI_INDEX, {"manifests": [listed(missing), listed(exact)]})
    assert select(talk, store, index)[0].descriptor == exact


def test_nothing_for_the_platform(talk: Any, store: Any) -> None:
    with pytest.raises(errors.NotFound, match="linux/arm64"):
        select(talk, store, image(store, "amd64"), "linux/arm64")


def test_sec_31_a_document_that_is_both(talk: Any, store: Any) -> None:
    blob = image(store, "amd64")
    both = {"manifests": [listed(blob)], "layers": [listed(LAYER)], "config": listed(LAYER)}
    for media_type in (OCI_INDEX, OCI_MANIFEST, DOCKER_MANIFEST):
        with pytest.raises(errors.InvalidArgument, match="both index and manifest"):
            select(talk, store, store.add_json(media_type, {**both, "x": media_type}))


@pytest.mark.parametrize("document", [{}, {"manifests": None}, {"manifests": [1]}, {"manifests": [{"digest": "x"}]}])
def test_malformed_indexes(talk: Any, store: Any, document: Any) -> None:
    with pytest.raises(errors.InvalidArgument):
        select(talk, store, store.add_json(OCI_INDEX, document))


def test_indexes_inside_indexes_come_to_an_end(talk: Any, store: Any) -> None:
    target = image(store, "amd64")
    for _ in range(manifests.MAX_DEPTH):
        target = store.add_json(OCI_INDEX, {"manifests": [listed(target)]})
    assert select(talk, store, target)[1].platform == Platform("linux", "amd64")
    target = store.add_json(OCI_INDEX, {"manifests": [listed(target)]})
    with pytest.raises(errors.InvalidArgument, match="too deeply"):
        select(talk, store, target)


def test_other_media_types(talk: Any, store: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="no image"):
        select(talk, store, store.add("text/plain", b"{}"))
    odd = store.add_json("application/x", {"os": "linux"})
    with pytest.raises(errors.InvalidArgument, match="no image configuration"):
        select(talk, store, store.add_json(OCI_MANIFEST, {"config": listed(odd), "layers": []}))
