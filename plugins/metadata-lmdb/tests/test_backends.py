from typing import Any

from moorage_metadata_lmdb.backends import Blobs, Layers, inherited


def test_only_inherited_labels_reach_a_snapshotter() -> None:
    given = {
        "containerd.io/snapshot/cri.image-ref": "a",
        "containerd.io/snapshot.ref": "b",
        "containerd.io/snapshot.other": "c",
        "containerd.io/gc.root": "d",
        "mine": "e",
    }
    assert inherited(given) == {"containerd.io/snapshot/cri.image-ref": "a", "containerd.io/snapshot.ref": "b"}


def test_each_backend_has_a_gate_of_its_own(rig: Any) -> None:
    one, other = Layers("a", rig.layers), Layers("b", rig.layers)
    assert one.gate is not other.gate
    assert Blobs(rig.content).gate is not Blobs(rig.content).gate
