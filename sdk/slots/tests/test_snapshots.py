from moorage_sdk.snapshots import SNAPSHOTTER, Cleaner, Info, Kind, Snapshotter, Usage


def test_kinds_have_the_numbers_of_the_wire() -> None:
    assert [(kind.name, int(kind)) for kind in Kind] == [
        ("UNKNOWN", 0),
        ("VIEW", 1),
        ("ACTIVE", 2),
        ("COMMITTED", 3),
    ]


def test_cleaning_is_found_by_asking() -> None:
    class Tidy:
        def cleanup(self) -> None: ...

    assert isinstance(Tidy(), Cleaner)
    assert not isinstance(object(), Cleaner)


def test_the_slot_is_containerds() -> None:
    assert (SNAPSHOTTER.name, SNAPSHOTTER.type) == ("snapshotter", "io.containerd.snapshotter.v1")
    assert "cleanup" not in Snapshotter.__abstractmethods__
    assert (Info(Kind.VIEW, "a").parent, Usage()) == ("", Usage(0, 0))
