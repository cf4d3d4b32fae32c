from moorage_differ_walking import sections
from moorage_differ_walking.routes import PROCESSORS


def test_what_is_owned_is_what_is_read() -> None:
    assert list(sections.TABLES) == [PROCESSORS.name]
