from collections.abc import Sequence

from moorage_sdk.resources import Item, Resources


def test_a_later_thing_of_the_same_name_is_another() -> None:
    assert Item("default", "web", "1") != Item("default", "web", "2")
    assert len({Item("default", "web", "1", labels={"a": "b"}), Item("default", "web", "1", labels={"a": "b"})}) == 1


def test_what_leaves_nothing_has_nothing_to_clean() -> None:
    class Nothing(Resources):
        kind = "nothing"

        def all(self) -> Sequence[Item]:
            return ()

        def condemn(self, items: Sequence[Item]) -> None:
            raise AssertionError

        def remove(self, item: Item) -> None:
            raise AssertionError

    Nothing().cleanup()
    assert Resources.__abstractmethods__ == {"kind", "all", "condemn", "remove"}
