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


class Far:
    """Stands for a backend that wants to know whom it works for."""

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace

    def within(self, namespace: str) -> Any:
        return Far(namespace)


def test_a_backend_that_knows_namespaces_is_told_and_shares_its_locks() -> None:
    far: Any = Far()
    for whole in (Layers("far", far), Blobs(far)):
        part = whole.within("web")
        backend: Any = part.backend
        assert (backend.namespace, part.gate) == ("web", whole.gate)
    plain: Any = object()
    layers = Layers("plain", plain)
    assert layers.within("web") is layers
