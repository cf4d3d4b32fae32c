from moorage_sdk.metadata import METADATA, Change, Collection, Metadata, View


def test_a_collection_of_nothing_found_nothing() -> None:
    assert Collection() == Collection((), (), 0.0, 0.0, 0)


def test_a_view_has_a_room_for_every_kind() -> None:
    assert {
        "namespace",
        "content",
        "images",
        "containers",
        "sandboxes",
        "leases",
        "snapshotter",
    } <= View.__abstractmethods__


def test_the_slot_is_containerds() -> None:
    assert (METADATA.name, METADATA.type) == ("metadata", "io.containerd.metadata.v1")
    assert {"view", "collect", "watch"} <= Metadata.__abstractmethods__
    assert {change.value for change in Change} == {"mutation", "deletion"}
