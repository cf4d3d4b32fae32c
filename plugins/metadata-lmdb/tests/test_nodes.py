from moorage_metadata_lmdb import nodes
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk.garbage import Object


def test_snapshots_are_named_with_their_snapshotter() -> None:
    node = nodes.snapshot("default", "overlayfs", "a/b", flat=True)
    assert node == Node(Kind.SNAPSHOT, "default", "overlayfs/a/b", True)
    assert str(node) == "snapshot default overlayfs/a/b"


def test_a_thing_has_the_kind_that_its_owner_says() -> None:
    node = nodes.collectible("default", "mount", "a/b")
    assert nodes.object(node) == Object("mount", "default", "a/b")
    assert str(node) == "mount default a/b"
