import re
from importlib.metadata import entry_points

from moorage_containerd.absences import ABSENT, THEIRS
from moorage_sdk.slots import Plugin

URI = re.compile(r"io\.containerd\.[a-z.-]+\.v[0-9]\.[a-z0-9-]+")


def test_every_absence_has_a_path_and_a_reason() -> None:
    for key, reason in ABSENT.items():
        assert reason.startswith(f"{THEIRS}: ")
        assert key[0] != "plugins" or URI.fullmatch(key[1])


def test_nothing_that_is_here_is_called_absent() -> None:
    """Whoever brings such a plugin takes its line out."""
    groups = entry_points()
    found = [
        each.load() for group in groups.groups if group.startswith("moorage.") for each in groups.select(group=group)
    ]
    installed = {plugin.uri for plugin in found if isinstance(plugin, Plugin)}
    assert installed
    assert [key[1] for key in ABSENT if len(key) == 2 and key[1] in installed] == []
