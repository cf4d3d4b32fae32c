from collections.abc import Callable
from typing import Any

import pytest

from moorage_core import daemons, programs
from moorage_core.daemons import Plan
from moorage_core.records import DISABLED, FAILED, PENDING
from moorage_core.settings import ConfigurationError, Request

Write = Callable[..., str]

PLUGIN = """
@dataclass(frozen=True)
class Config:
    size: int = 1
    name: str = "x"
plugin = Plugin(ALPHA, "{}", lambda ctx, config: config, Config)
"""
A = "io.example.alpha.v1"


def plan(site: Any, config: str) -> Plan:
    installed = site.installed()
    return daemons.plan(daemons.outline(Request(config), programs.MOORAGED, installed), installed)


def states(planned: Plan) -> dict[str, str]:
    return {record.uri: record.state for record in planned.records}


def faults(site: Any, config: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        plan(site, config)
    return str(caught.value).splitlines()


def test_ours_are_enabled_when_installed_others_when_named(site: Any, write: Write) -> None:
    site.plugin("ours", PLUGIN.format("ours"))
    site.plugin("named", PLUGIN.format("named"), distribution="acme-named")
    site.plugin("other", "raise SystemExit", distribution="acme-other")
    planned = plan(site, write(config=f'version = 4\n[plugins."{A}.named"]\nsize = 3'))
    assert states(planned) == {f"{A}.ours": PENDING, f"{A}.named": PENDING, f"{A}.other": DISABLED}
    by = {record.uri: record for record in planned.records}
    assert by[f"{A}.named"].config.size == 3
    assert by[f"{A}.other"].reason == (
        f'of a third party, enabled by a table [plugins."{A}.other"] in the configuration'
    )


def test_disabled_means_never_imported_and_says_who_disabled_it(site: Any, write: Write) -> None:
    site.plugin("bad", "raise SystemExit")
    path = write(config=f'version = 4\ndisabled_plugins = ["{A}.bad"]\n[plugins."{A}.bad"]\nsize = "wrong"')
    planned = plan(site, path)
    assert states(planned) == {f"{A}.bad": DISABLED}
    assert planned.records[0].reason == f"disabled by disabled_plugins ({path}:2:21)"
    assert planned.records[0].plugin is None
    assert planned.warnings == ()


def test_a_plugin_with_another_uri_than_announced_is_disabled_by_its_own(site: Any, write: Write) -> None:
    site.plugin("local", 'plugin = Plugin(ALPHA, "x", lambda ctx, config: 1, uri_override="io.example.alpha.v1.alpha")')
    assert states(plan(site, write(config=""))) == {f"{A}.alpha": PENDING}
    assert states(plan(site, write(config=f'disabled_plugins = ["{A}.alpha"]'))) == {f"{A}.alpha": DISABLED}


def test_what_does_not_import_fails_alone(site: Any, write: Write) -> None:
    site.plugin("bad", "raise SystemExit(3)")
    site.plugin("good", PLUGIN.format("good"))
    planned = plan(site, write(config=""))
    assert states(planned) == {f"{A}.bad": FAILED, f"{A}.good": PENDING}
    assert "SystemExit: 3" in planned.records[0].reason


def test_of_two_with_one_uri_neither_is_right(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    site.add("acme-one", {"moorage.alpha": {"one": "site_alpha_one:plugin"}}, {})
    enabled = [record.state for record in plan(site, write(config="")).records]
    assert sorted(enabled) == [DISABLED, PENDING]
    planned = plan(site, write(config=f'version = 4\n[plugins."{A}.one"]'))
    assert [record.state for record in planned.records] == [FAILED, FAILED]
    assert planned.records[0].reason == "installed more than once, by acme-one and moorage-alpha-one: uninstall one"


def test_two_that_turn_out_to_have_one_uri_fail_too(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN.format("same"))
    site.plugin("two", PLUGIN.format("same"))
    assert [record.state for record in plan(site, write(config="")).records] == [FAILED, FAILED]


def test_all_faults_in_all_tables_come_at_once(site: Any, write: Write) -> None:
    for name in ("one", "two", "off"):
        site.plugin(name, PLUGIN.format(name))
    path = write(
        config=f'version = 4\ndisabled_plugins = ["{A}.off"]\n[plugins."{A}.one"]\nsize = "a"\nname = 1\n'
        f'[plugins."{A}.two"]\nsize = false\n[plugins."{A}.off"]\nsize = "x"\n'
    )
    assert faults(site, path) == [
        f'{path}:4:1: plugins."{A}.one".size: expected integer, got string',
        f'{path}:5:1: plugins."{A}.one".name: expected string, got integer',
        f'{path}:7:1: plugins."{A}.two".size: expected integer, got boolean',
    ]


def test_faults_of_files_tables_and_lists_come_together(site: Any, write: Write, tmp_path: Any) -> None:
    site.plugin("one", PLUGIN.format("one"))
    site.add("moorage-p", {"moorage.provider": {"p": "site_p:provide"}}, {"site_p": "def provide(document): 1 // 0"})
    path = write(
        bad="x =",
        config=f'version = 4\nimports = ["bad.toml"]\noom_score = 2000\ntemp = 1\nrequired_plugins = ["{A}.two"]\n'
        f'[plugins]\n"io.y" = 1\n[plugins."{A}.one"]\nsize = "a"\n',
    )
    found = faults(site, path)
    assert [fault.split(": ")[0].removeprefix(f"{tmp_path}/") for fault in found] == [
        "bad.toml:1:4",
        "config.toml:4:1",
        "config.toml:7:1",
        "config.toml:3:1",
        'provider "p" of moorage-p',
        "config.toml:9:1",
        "config.toml:5:21",
    ]


def test_unknown_keys_and_plugins_are_warnings(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    path = write(
        config=f'version = 4\ndisabled_plugins = ["{A}.ones"]\n[plugins."{A}.one"]\nsiz = 1\n'
        f'[plugins."{A}.on"]\na = 1\n[plugins."far.away"]\nb = 1\n[plugins."io.x.empty".c]\nd = ""\n'
    )
    assert [str(warning) for warning in plan(site, path).warnings] == [
        f'{path}:5:1: plugins."{A}.on": no such plugin is installed, did you mean "{A}.one"?',
        f'{path}:7:1: plugins."far.away": no such plugin is installed',
        f'{path}:2:21: disabled plugin "{A}.ones": no such plugin is installed, did you mean "{A}.one"?',
        f'{path}:4:1: plugins."{A}.one".siz: unknown key, did you mean "size"?',
    ]


ABSENT = f"""
ABSENT = {{
    ("plugins", "io.other.v1.nri"): "no part of moorage",
    ("plugins", "{A}.one", "old"): "means nothing here",
    ("plugins", "{A}.one", "older"): "means nothing here",
    ("debug", "traces"): "nobody traces",
    ("limits", "far"): "nobody waits",
}}
"""


def test_what_others_have_and_we_have_not_is_told_once_with_the_reason(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    site.add("moorage-absent", {"moorage.config": {"absent": "site_absent"}}, {"site_absent": ABSENT})
    path = write(
        config=f'version = 4\ndisabled_plugins = ["io.other.v1.nri"]\n[plugins."io.other.v1.nri"]\na = 1\n'
        f'[plugins."{A}.one"]\nold = 1\nolder = ""\n[debug]\ntraces = true\n'
    )
    assert [str(warning) for warning in plan(site, path).warnings] == [
        f"{path}:9:1: debug.traces: nobody traces",
        f'{path}:2:21: disabled plugin "io.other.v1.nri": no part of moorage',
        f'{path}:6:1: plugins."{A}.one".old: means nothing here',
    ]
    path = write(config='version = 4\nrequired_plugins = ["io.other.v1.nri"]\n[plugins."io.other.v1.nri"]\na = 1\n')
    assert faults(site, path) == [f'{path}:2:21: required plugin "io.other.v1.nri": no part of moorage']


def test_a_plugin_that_is_installed_after_all_reads_its_table(site: Any, write: Write) -> None:
    site.plugin("io.other.v1.nri", NRI, distribution="moorage-nri")
    site.add("moorage-absent", {"moorage.config": {"absent": "site_absent"}}, {"site_absent": ABSENT})
    planned = plan(site, write(config='version = 4\n[plugins."io.other.v1.nri"]\na = 1\n'))
    assert planned.warnings == ()
    assert planned.records[0].config.a == 1


NRI = """
@dataclass(frozen=True)
class Config:
    a: int = 0
plugin = Plugin(ALPHA, "nri", lambda ctx, config: config, Config, uri_override="io.other.v1.nri")
"""

READER = """
from moorage_sdk.durations import Duration
from moorage_sdk.tables import Table
@dataclass(frozen=True)
class Entry:
    path: str = ""
    args: tuple[str, ...] = ()
LIMITS = Table("limits", Duration, {"near": Duration(1)}, closed=True)
WAYS = Table("ways", Entry, {"first": Entry("/x", ("a",))})
plugin = Plugin(ALPHA, "reader", lambda ctx, config: config, tables=(LIMITS, WAYS))
"""


def test_tables_beside_a_plugins_own_are_read_with_its_defaults(site: Any, write: Write) -> None:
    site.plugin("reader", READER)
    (record,) = plan(site, write(config='[limits]\nnear = "2s"\n[ways.first]\npath = "/y"\n[ways.b]\n')).records
    entry = {"path": "", "args": []}
    assert record.tables == {"limits": {"near": "2s"}, "ways": {"first": entry | {"path": "/y"}, "b": entry}}
    (record,) = plan(site, "/dev/null").records
    assert record.tables == {"limits": {"near": "1s"}, "ways": {"first": {"path": "/x", "args": ["a"]}}}


def test_faults_and_unknown_keys_in_tables_beside_a_plugins_own(site: Any, write: Write) -> None:
    site.plugin("reader", READER)
    site.plugin("twin", READER.replace('"reader"', '"twin"'))
    site.add("moorage-absent", {"moorage.config": {"absent": "site_absent"}}, {"site_absent": ABSENT})
    path = write(config='[limits]\nnear = 2\n[ways.a]\nargs = "x"\n')
    assert faults(site, path)[:2] == [
        f"{path}:2:1: limits.near: expected duration (a string), got integer",
        f"{path}:4:1: ways.a.args: expected array, got string",
    ]
    path = write(config='[limits]\nfar = "1s"\nnaer = "1s"\n[ways.a]\npth = "x"\n')
    assert {str(warning) for warning in plan(site, path).warnings} >= {
        f"{path}:2:1: limits.far: nobody waits",
        f'{path}:3:1: limits.naer: unknown key, did you mean "near"?',
        f'{path}:5:1: ways.a.pth: unknown key, did you mean "path"?',
    }
    assert faults(site, write(config="ways = 3"))[0].endswith("ways: expected table, got integer")


def test_a_required_plugin_must_be_installed(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    path = write(config=f'required_plugins = ["{A}.one", "{A}.onee"]')
    assert faults(site, path) == [
        f'{path}:1:{len(A) + 29}: required plugin "{A}.onee": no such plugin is installed, did you mean "{A}.one"?'
    ]


def test_a_required_plugin_must_not_be_disabled_for_want_of_a_table(site: Any, write: Write) -> None:
    site.plugin("theirs", PLUGIN.format("theirs"), distribution="acme-theirs")
    path = write(config=f'required_plugins = ["{A}.theirs"]')
    assert faults(site, path) == [
        f'{path}:1:21: required plugin "{A}.theirs": of a third party, '
        f'enabled by a table [plugins."{A}.theirs"] in the configuration'
    ]
    site.plugin("ours", PLUGIN.format("theirs"), distribution="moorage-theirs")
    assert sorted(record.state for record in plan(site, path).records) == [DISABLED, PENDING]


def test_a_configuration_class_of_no_use_fails_its_plugin(site: Any, write: Write) -> None:
    source = (
        "@dataclass(frozen=True)\nclass Config:\n    odd: complex = 1j\nplugin = Plugin(ALPHA, 'odd', print, Config)"
    )
    site.plugin("odd", source)
    planned = plan(site, write(config=f'version = 4\n[plugins."{A}.odd"]\nodd = 1'))
    assert states(planned) == {f"{A}.odd": FAILED}


def test_a_uri_becomes_a_directory_so_it_must_be_tame(site: Any, write: Write) -> None:
    site.plugin("up", 'plugin = Plugin(ALPHA, "../../etc", lambda ctx, config: 1)')
    planned = plan(site, write(config=""))
    assert planned.records[0].state == FAILED
    assert "is no plugin URI" in planned.records[0].reason


PROVIDER = """
from moorage_sdk.slots import Plugin
from site_slots import ALPHA
def provide(document):
    for name in document.get("proxies", {}):
        yield Plugin(ALPHA, name, lambda ctx, config: name)
"""


def test_providers_add_plugins_that_follow_from_the_configuration(site: Any, write: Write) -> None:
    groups = {"moorage.provider": {"proxy": "site_proxy:provide"}}
    site.add("moorage-proxy", groups, {"site_proxy": PROVIDER})
    path = write(config=f'version = 4\ndisabled_plugins = ["{A}.b"]\n[proxies.a]\n[proxies.b]')
    assert states(plan(site, path)) == {f"{A}.a": PENDING, f"{A}.b": DISABLED}


def test_a_provider_that_fails_is_a_fault_of_the_configuration(site: Any, write: Write) -> None:
    groups = {"moorage.provider": {"proxy": "site_proxy:provide"}}
    site.add("moorage-proxy", groups, {"site_proxy": "def provide(document):\n    raise ValueError('type: unknown')"})
    assert faults(site, write(config="")) == ['provider "proxy" of moorage-proxy: type: unknown']


def test_a_third_partys_provider_is_not_asked(site: Any, write: Write) -> None:
    site.add("acme-proxy", {"moorage.provider": {"proxy": "site_proxy:provide"}}, {"site_proxy": "raise SystemExit"})
    assert states(plan(site, write(config=""))) == {}


def test_what_a_provider_refuses_is_told_with_its_place(site: Any, write: Write) -> None:
    source = (
        "from moorage_sdk.config import Fault, Refused\n"
        "def provide(document):\n"
        "    raise Refused([Fault(('proxies', 'a', 'type'), 'no such'), Fault(('proxies', 'b'), 'empty')])"
    )
    site.add("moorage-proxy", {"moorage.provider": {"proxy": "site_proxy:provide"}}, {"site_proxy": source})
    path = write(config='[proxies.a]\ntype = "x"\n[proxies.b]\n')
    assert faults(site, path) == [f"{path}:2:1: proxies.a.type: no such", f"{path}:3:1: proxies.b: empty"]
