from typing import Any

import pytest

from moorage_client import unpacks
from moorage_client.clients import Client
from moorage_sdk import digests, errors, labels, platforms
from moorage_sdk.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from moorage_specs.configs import Config

DIFFS = [f"sha256:{digit * 64}" for digit in "12"]


def image(store: Any, diff_ids: list[str]) -> tuple[Descriptor, Descriptor]:
    here = platforms.host()
    document = {"os": here.os, "architecture": here.architecture, "rootfs": {"diff_ids": diff_ids}}
    config = store.add_json(OCI_CONFIG, document)
    layers = [store.add(OCI_LAYER_GZIP, bytes([number])) for number in range(2)]
    store.diff_ids |= {layer.digest: diff for layer, diff in zip(layers, DIFFS, strict=True)}
    listed = [{"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in [config, *layers]]
    return store.add_json(OCI_MANIFEST, {"config": listed[0], "layers": listed[1:]}), config


def unpack(talk: Any, store: Any, target: Descriptor) -> list[tuple[int, int]]:
    reports: list[tuple[int, int]] = []

    async def work(client: Client) -> Config:
        return await unpacks.unpack(
            client, target, "overlayfs", report=lambda done, total: reports.append((done, total))
        )

    talk(store.handlers(), work)
    return reports


def test_layers_become_snapshots_with_labels(talk: Any, store: Any) -> None:
    target, config = image(store, DIFFS)
    assert unpack(talk, store, target) == [(0, 2), (1, 2), (2, 2)]
    top = digests.chain_id(DIFFS)
    assert store.snapshots == {DIFFS[0]: "", top: DIFFS[0]}
    assert store.active == {}
    assert store.labels[config.digest] == {"containerd.io/gc.ref.snapshot.overlayfs": top}
    assert store.labels[digests.of(b"\x00")] == {labels.UNCOMPRESSED: DIFFS[0]}
    assert store.leases == []


def test_what_is_there_is_not_unpacked_again(talk: Any, store: Any) -> None:
    target, _ = image(store, DIFFS)
    store.snapshots[DIFFS[0]] = ""
    unpack(talk, store, target)
    assert store.applied == [digests.of(b"\x01")]


def test_a_layer_with_another_diff_id_leaves_no_snapshot(talk: Any, store: Any) -> None:
    target, _ = image(store, [DIFFS[0], "sha256:" + "9" * 64])
    with pytest.raises(errors.FailedPrecondition, match="wrong diff id"):
        unpack(talk, store, target)
    assert list(store.snapshots) == [DIFFS[0]]
    assert store.active == {}
    assert store.leases == []


def test_layers_and_diff_ids_must_match(talk: Any, store: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="2 layers, but 1 diff ids"):
        unpack(talk, store, image(store, DIFFS[:1])[0])


def test_losing_a_race_is_success(talk: Any, store: Any) -> None:
    target, _ = image(store, DIFFS)
    handlers = store.handlers()
    apply = handlers["containerd.services.diff.v1.Diff"]["Apply"]

    async def overtaken(request: Any, context: Any) -> Any:
        answer = await apply(request, context)
        store.snapshots.setdefault(DIFFS[0], "")
        return answer

    handlers["containerd.services.diff.v1.Diff"]["Apply"] = overtaken

    async def work(client: Client) -> Config:
        return await unpacks.unpack(client, target, "overlayfs")

    talk(handlers, work)
    assert store.active == {}
    assert len(store.snapshots) == 2


@pytest.mark.parametrize("there", [True, False])
def test_losing_it_before_the_first_step_is_success_too(talk: Any, store: Any, there: bool) -> None:
    """A daemon that has the layer by then, or gets it by itself, refuses to prepare it."""
    target, _ = image(store, DIFFS)
    handlers = store.handlers()
    prepare = handlers["containerd.services.snapshots.v1.Snapshots"]["Prepare"]

    async def overtaken(request: Any, context: Any) -> Any:
        if not request.parent:
            if there:
                store.snapshots[DIFFS[0]] = ""
            raise errors.AlreadyExists(f'snapshot "{DIFFS[0]}": already exists')
        return await prepare(request, context)

    handlers["containerd.services.snapshots.v1.Snapshots"]["Prepare"] = overtaken

    async def work(client: Client) -> Config:
        return await unpacks.unpack(client, target, "overlayfs")

    if there:
        talk(handlers, work)
        assert store.applied == [digests.of(b"\x01")] and len(store.snapshots) == 2
    else:
        with pytest.raises(errors.AlreadyExists):
            talk(handlers, work)


def test_is_unpacked(talk: Any, store: Any) -> None:
    async def work(client: Client) -> list[bool]:
        configs = [
            Config(platforms.host()),
            Config(platforms.host(), (DIFFS[0],)),
            Config(platforms.host(), (DIFFS[1],)),
        ]
        return [await unpacks.is_unpacked(client, config, "overlayfs") for config in configs]

    store.snapshots[DIFFS[0]] = ""
    assert talk(store.handlers(), work) == [True, True, False]
