from moorage_sdk.resources import Item, Resources


def test_a_later_thing_of_the_same_name_is_another() -> None:
    assert Item("default", "web", "1") != Item("default", "web", "2")
    assert len({Item("default", "web", "1", labels={"a": "b"}), Item("default", "web", "1", labels={"a": "b"})}) == 1


def test_an_owner_must_do_everything() -> None:
    assert {"kind", "all", "condemn", "remove", "cleanup"} == Resources.__abstractmethods__
