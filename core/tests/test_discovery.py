from typing import Any

import pytest

from moorage_core import discovery
from moorage_core.discovery import Installed, LoadError

PLUGIN = 'plugin = Plugin(ALPHA, "{}", lambda ctx, config: "made")\n'


def test_slots_are_found_by_name(site: Any) -> None:
    slots, faults = site.installed().slots()
    assert {name: slot.type for name, slot in slots.items()} == {
        "alpha": "io.example.alpha.v1",
        "beta": "io.example.beta.v1",
    }
    assert faults == []


def test_a_declaration_that_does_not_hold_is_told(site: Any) -> None:
    site.add("moorage-odd", {"moorage.slots": {"gamma": "site_slots:ALPHA", "gone": "site_nowhere:X"}}, {})
    slots, faults = site.installed().slots()
    assert set(slots) == {"alpha", "beta"}
    assert faults[0] == 'slot "gamma": names no slot of that name'
    assert faults[1].startswith('slot "gone": cannot load "site_nowhere:X": ModuleNotFoundError')


def test_listing_imports_nothing(site: Any) -> None:
    site.plugin("bad", "raise SystemExit(3)")
    site.plugin("io.example.alpha.v1.other", PLUGIN.format("x"))
    installed = site.installed()
    found = installed.plugins(installed.slots()[0])
    assert [(each.uri, each.distribution, each.ours) for each in found] == [
        ("io.example.alpha.v1.bad", "moorage-alpha-bad", True),
        ("io.example.alpha.v1.other", "moorage-alpha-io.example.alpha.v1.other", True),
    ]


def test_groups_that_are_no_slots_hold_no_plugins(site: Any) -> None:
    site.add(
        "moorage-c", {"moorage.config": {"c": "site_c"}, "other.group": {"x": "y"}, "moorage.what": {"x": "y"}}, {}
    )
    installed = site.installed()
    assert installed.plugins(installed.slots()[0]) == []
    assert [each.name for each in installed.candidates(discovery.CONFIG)] == ["c"]


def one(site: Any) -> discovery.Candidate:
    installed = site.installed()
    (candidate,) = installed.plugins(installed.slots()[0])
    return candidate


def test_a_plugin_is_what_its_entry_point_names(site: Any) -> None:
    site.plugin("good", PLUGIN.format("good"))
    assert discovery.plugin(one(site)).uri == "io.example.alpha.v1.good"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise AssertionError('x')", "AssertionError: x"),
        ("class Mine(BaseException): pass\nraise Mine('x')", "Mine: x"),
        ("import nothing_like_this", "ModuleNotFoundError: No module named 'nothing_like_this'"),
        ("def f(:", "SyntaxError"),
        ("other = 1", "AttributeError"),
        ("plugin = 3", "names no Plugin"),
        ('plugin = Plugin(BETA, "bad", lambda ctx, config: "x")', 'fills slot "beta", not "alpha"'),
    ],
)
def test_whatever_an_import_raises_is_a_load_error(site: Any, source: str, reason: str) -> None:
    site.plugin("bad", source)
    with pytest.raises(LoadError) as caught:
        discovery.plugin(one(site))
    assert reason in str(caught.value)


def test_a_person_may_still_interrupt(site: Any) -> None:
    site.plugin("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discovery.plugin(one(site))


def test_what_is_installed_here_is_found_with_its_distribution() -> None:
    slots, faults = Installed().slots()
    assert faults == []
    assert slots["server"].type == "io.containerd.server.v1"
    assert {each.distribution for each in Installed().candidates(discovery.SLOTS)} >= {"moorage-sdk"}


def test_a_distribution_that_is_being_installed_is_nobodys(site: Any) -> None:
    """Its entry points are there before its name; the daemon ended with an AttributeError."""
    site.plugin("a", "plugin = 1\n", distribution="moorage-late")
    (site.path / "moorage_late-1.0.dist-info" / "METADATA").unlink()
    slots, _ = site.installed().slots()
    (candidate,) = site.installed().plugins(slots)
    assert candidate.distribution == ""
    assert not candidate.ours
