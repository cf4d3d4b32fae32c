from __future__ import annotations

import re

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.mounts import Mount
from moorage_sdk.platforms import Platform
from moorage_transfer_local import stacks
from moorage_transfer_local.manifests import Config, Manifest

IDS = tuple(digests.of(text) for text in (b"1", b"2", b"3"))
LAYERS = tuple(Descriptor(OCI_LAYER_GZIP, digests.of(text), 1, {}) for text in (b"a", b"b", b"c"))
CONFIG = Descriptor(OCI_CONFIG, digests.of(b"config"), 1)


def planned() -> stacks.Stack:
    return stacks.plan(Manifest(CONFIG, LAYERS), Config(Platform("linux", "amd64"), IDS), "overlayfs")


def test_chain_ids_are_those_of_the_specification() -> None:
    assert stacks.chain_ids(IDS) == [digests.chain_id(list(IDS[:n])) for n in (1, 2, 3)]
    assert stacks.chain_ids([]) == []


def test_every_layer_lies_on_the_one_below() -> None:
    stack = planned()
    chain = stacks.chain_ids(IDS)
    assert [layer.parent for layer in stack.layers] == ["", *chain[:2]]
    assert [layer.chain_id for layer in stack.layers] == chain
    assert stack.reference_label == {"containerd.io/gc.ref.snapshot.overlayfs": chain[-1]}


def test_blobs_that_are_no_layers_are_not_unpacked() -> None:
    manifest = Manifest(CONFIG, (Descriptor("application/vnd.in-toto+json", digests.of(b"x"), 1), *LAYERS))
    assert len(stacks.plan(manifest, Config(Platform("linux", "amd64"), IDS), "overlayfs").layers) == 3


@pytest.mark.parametrize("ids", [IDS[:2], (*IDS, IDS[0]), ()])
def test_another_number_of_diff_ids_is_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"{len(ids)} diff ids for 3 layers"):
        stacks.plan(Manifest(CONFIG, LAYERS), Config(Platform("linux", "amd64"), ids), "overlayfs")


def test_an_image_without_layers_is_an_empty_stack() -> None:
    stack = stacks.plan(Manifest(CONFIG, ()), Config(Platform("linux", "amd64"), ()), "overlayfs")
    assert (stack.layers, stack.reference_label) == ((), {})


def test_the_snapshotter_is_told_what_it_may_bring_itself() -> None:
    annotations = {"containerd.io/snapshot/x": "1", "containerd.io/gc.root": "no", "other": "no"}
    layer = stacks.Layer(Descriptor(OCI_LAYER_GZIP, IDS[0], 1, annotations), IDS[1], IDS[2], IDS[0])
    assert layer.labels == {
        "containerd.io/snapshot/x": "1",
        "containerd.io/snapshot.ref": IDS[2],
        "containerd.io/snapshot/diff-id": IDS[1],
        "containerd.io/snapshot/parent-chain-id": IDS[0],
    }


def test_keys_are_unique_and_in_the_form_that_clients_know() -> None:
    keys = {stacks.extraction_key("sha256:x") for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch(r"extract-[0-9]+-[A-Za-z0-9_-]{4} sha256:x", key) for key in keys)


def test_a_plain_directory_becomes_an_upper_one() -> None:
    bind = Mount("bind", "/s/1/fs", ("rw", "rbind"))
    assert stacks.as_upper([bind]) == (Mount("overlay", "overlay", ("rw", "upperdir=/s/1/fs")),)
    overlay = Mount("overlay", "overlay", ("upperdir=/u", "lowerdir=/l"))
    assert stacks.as_upper([overlay]) == (overlay,)
    assert stacks.as_upper([bind, overlay]) == (bind, overlay)
