from moorage_metadata_lmdb import nodes
from moorage_metadata_lmdb.nodes import Kind, Node


def test_snapshots_are_named_with_their_snapshotter() -> None:
    node = nodes.snapshot("default", "overlayfs", "a/b", flat=True)
    assert node == Node(Kind.SNAPSHOT, "default", "overlayfs/a/b", True)
    assert str(node) == "snapshot default overlayfs/a/b"
