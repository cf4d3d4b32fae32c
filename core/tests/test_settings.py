from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_
from hypothesis import strategies as st

from moorage_core import programs, settings, writers
from moorage_core.documents import Fault
from moorage_core.settings import ConfigurationError, Request, Settings, is_empty
from moorage_sdk.durations import Duration

Write = Callable[..., str]
Nobody = Callable[[], AbstractContextManager[None]]

MODULE = """
TABLES = ("wire",)
FLAGS = {"address": ("plugins", "io.x", "address")}
def migrate(document, version):
    if version == 3 and "wire" in document:
        document.setdefault("plugins", {})["io.x"] = document.pop("wire")
"""


def load(site: Any, config: str | None, flags: Mapping[str, str] | None = None) -> Settings:
    installed = site.installed()
    candidates = installed.plugins(installed.slots()[0])
    return settings.load(Request(config, flags or {}), programs.MOORAGED, installed, candidates)


def faults(site: Any, config: str, flags: Mapping[str, str] | None = None) -> list[str]:
    return [str(fault) for fault in load(site, config, flags).faults]


def test_without_a_file_everything_is_the_programs(site: Any) -> None:
    loaded = load(site, "/dev/null")
    assert (str(loaded.root), str(loaded.state)) == ("/var/lib/moorage", "/run/moorage")
    assert loaded.warnings == ()


def test_flags_override_files_and_say_so(site: Any, write: Write, tmp_path: Path) -> None:
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": MODULE})
    path = write(config='version = 4\nroot = "/a"\nstate = "/b"\n[debug]\nlevel = "info"')
    loaded = load(site, path, {"root": str(tmp_path), "address": "/s", "log-level": "debug"})
    assert (loaded.root, str(loaded.state), loaded.top.debug.level) == (tmp_path, "/b", "debug")
    assert loaded.table("io.x") == {"address": "/s"}
    assert str(loaded.origin(("root",))) == "flag --root"
    assert str(loaded.origin(("state",))) == f"{path}:3:1"
    assert str(loaded.origin(("plugins", "io.x", "address"))) == "flag --address"


def test_a_flag_may_be_a_function_and_several_may_claim_it(site: Any, write: Write) -> None:
    derive = "def derive(document, value):\n    document['plugins'].setdefault('io.y', {'address': value + '.y'})\n"
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": MODULE})
    site.add("moorage-y", {"moorage.config": {"y": "site_y"}}, {"site_y": derive + "FLAGS = {'address': derive}"})
    loaded = load(site, write(config="version = 4"), {"address": "/s"})
    assert loaded.top.plugins == {"io.x": {"address": "/s"}, "io.y": {"address": "/s.y"}}


def test_a_flag_hides_no_fault(site: Any, write: Write) -> None:
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": MODULE})
    path = write(config="version = 4\nplugins = 3")
    assert faults(site, path, {"address": "/s"}) == [f"{path}:2:1: plugins: expected table, got integer"]


def test_a_flag_function_that_fails_is_a_fault(site: Any, write: Write) -> None:
    source = "def fail(document, value):\n    raise KeyError(value)\nFLAGS = {'address': fail}"
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": source})
    assert faults(site, write(config=""), {"address": "/s"}) == ["flag --address: KeyError: '/s'"]


def test_a_flag_that_nobody_takes_is_a_fault(site: Any, write: Write) -> None:
    assert faults(site, write(config=""), {"address": "/s"}) == ["flag --address: no installed plugin takes this flag"]


def test_a_file_that_was_asked_for_must_exist(site: Any, tmp_path: Path) -> None:
    assert faults(site, str(tmp_path / "none.toml")) == [
        f'configuration "{tmp_path}/none.toml": No such file or directory'
    ]


def test_all_faults_of_all_files_come_at_once(site: Any, write: Write, tmp_path: Path) -> None:
    path = write(
        bad="x = = 1",
        config='imports = ["bad.toml"]\noom_score = "5"\ndisabled_plugins = "all"\n[debug]\nlevel = "loud"\n'
        '[timeouts]\n"io.x" = "5"\n[plugins]\n"io.x" = 3\n',
    )
    levels = '"", "trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"'
    found = faults(site, path)
    assert found[0].startswith(f"{tmp_path}/bad.toml:1:5: ")
    assert sorted(found[1:]) == sorted(
        [
            f"{path}:3:1: disabled_plugins: expected array, got string",
            f"{path}:2:1: oom_score: expected integer, got string",
            f'{path}:5:1: debug.level: expected one of {levels}, got "loud"',
            f'{path}:7:1: timeouts."io.x": duration "5": must be numbers with units, such as "100ms" or "1h30m"',
            f'{path}:9:1: plugins."io.x": expected table, got integer',
        ]
    )


def test_faults_of_meaning(site: Any, write: Write) -> None:
    path = write(
        config='root = "/a"\nstate = "/a"\noom_score = 1001\n'
        'disabled_plugins = ["cri", "io.x.y"]\nrequired_plugins = ["io.x.y",\n  "z"]'
    )
    assert faults(site, path) == [
        f'{path}:4:21: disabled_plugins[0]: plugin "cri": not a URI such as io.containerd.<type>.v1.<id>',
        f'{path}:5:21: required_plugins[0]: plugin "io.x.y": disabled by disabled_plugins',
        f'{path}:6:3: required_plugins[1]: plugin "z": not a URI such as io.containerd.<type>.v1.<id>',
        f"{path}:2:1: state: must differ from root",
        f"{path}:3:1: oom_score: must be within -1000 and 1000",
    ]
    assert faults(site, write(config='root = ""')) == [f"{path}:1:1: root: must be a path"]

    path = write(config='state = "/a"\ntemp = "/t\\u0000"')
    assert faults(site, path) == [f"{path}:2:1: temp: must be a path"]


def test_unknown_keys_are_warnings_unless_owned_or_empty(site: Any, write: Write) -> None:
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": MODULE})
    path = write(
        config='version = 4\nrot = "/a"\n[wire]\na = 1\n[cgroup]\npath = ""\n[debug]\nlog_trace_id = false\nlevl = "x"'
    )
    assert [str(each) for each in load(site, path).warnings] == [
        f'{path}:2:1: rot: unknown key, did you mean "root"?',
        f'{path}:9:1: debug.levl: unknown key, did you mean "level"?',
    ]


def test_old_tables_are_migrated_and_faults_in_them_keep_their_place(site: Any, write: Write) -> None:
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": MODULE})
    path = write(config='version = 2\n[wire]\naddress = "/s"')
    loaded = load(site, path)
    assert loaded.table("io.x") == {"address": "/s"}
    assert str(loaded.origin(("plugins", "io.x", "address"))) == f"{path}:3:1"


def test_a_third_partys_module_runs_only_when_a_table_names_its_plugin(site: Any, write: Write) -> None:
    source = "TABLES = ('theirs',)"
    site.plugin("x", "plugin = Plugin(ALPHA, 'x', lambda ctx, config: 1)", distribution="acme-x")
    site.add("acme-y", {"moorage.config": {"y": "site_y"}}, {"site_y": source})
    groups = {"moorage.config": {"x": "site_z"}, "moorage.alpha": {"z": "site_zz:plugin"}}
    site.add("acme-z", groups, {"site_z": source})
    path = write(config="version = 4\n[theirs]\na = 1")
    assert len(load(site, path).warnings) == 1
    path = write(config='version = 4\n[theirs]\na = 1\n[plugins."io.example.alpha.v1.z"]')
    assert load(site, path).warnings == ()


def test_a_module_that_does_not_load_is_a_warning(site: Any, write: Write) -> None:
    site.add("moorage-x", {"moorage.config": {"x": "site_x"}}, {"site_x": "raise OSError('disk')"})
    (warning,) = load(site, write(config="")).warnings
    assert str(warning).startswith("configuration module of moorage-x: cannot load")


def test_what_is_faulty_is_left_out_so_that_the_rest_can_be_judged(site: Any, write: Write) -> None:
    path = write(config='root = 1\n[debug]\nlevel = 3\nformat = "json"\n[plugins]\n"io.x" = 1\n"io.y" = { a = 1 }')
    loaded = load(site, path)
    assert len(loaded.faults) == 3
    assert (loaded.top.root, loaded.top.debug.format) == ("/var/lib/moorage", "json")
    assert loaded.top.plugins == {"io.y": {"a": 1}}


def test_nothing_is_nothing_at_any_depth() -> None:
    assert is_empty({"a": {"b": "", "c": [], "d": 0}, "e": False})
    assert not is_empty({"a": {"b": {"c": "x"}}})
    assert str(ConfigurationError([Fault(None, "a"), Fault(None, "b")])) == "a\nb"


def test_timeouts_are_durations_and_paths_become_absolute(
    site: Any, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load(site, write(config='temp = "t"\n[timeouts]\n"io.x" = "2s"'), {"root": "r", "state": "s"})
    assert loaded.top.timeouts == {"io.x": Duration(2)}
    assert (loaded.root, loaded.state, loaded.top.temp) == (tmp_path / "r", tmp_path / "s", str(tmp_path / "t"))


KEYS = ["version", "root", "state", "imports", "disabled_plugins", "plugins", "debug", "level", "timeouts", "io.x", "x"]
scalars = st.integers(-1, 5) | st.booleans() | st.sampled_from(["", "a", "io.x", "1s", "*", "\0"]) | st.just(1.5)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
)


@settings_(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), trees, max_size=6), min_size=1, max_size=3))
def test_any_files_are_taken_or_refused_but_never_crash(site: Any, write: Write, tables: list[dict[str, Any]]) -> None:
    names = [f"drop{index}" for index in range(len(tables) - 1)]
    tables[0] = {"imports": [f"{name}.toml" for name in names]} | tables[0]
    texts = [writers.dumps(table) for table in reversed(tables)]
    loaded = load(site, write(**dict(zip([*names, "config"], texts, strict=True))))
    for fault in loaded.faults:
        assert fault.origin is not None and fault.message


@settings_(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet="[]{}=.,\"'\\\n# ab1", max_size=40).map(str.encode))
def test_any_bytes_are_taken_or_refused_but_never_crash(site: Any, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.toml"
    path.write_bytes(data)
    for fault in load(site, str(path)).faults:
        assert str(fault).startswith(str(path))


def test_the_programs_own_file_may_be_closed_but_not_overlooked(public: Path, nobody: Nobody, site: Any) -> None:
    """In a directory that may not be entered it was a traceback."""
    (public / "closed").mkdir(mode=0o700)
    program = replace(programs.MOORAGED, config=str(public / "closed" / "config.toml"))
    installed = site.installed()
    with nobody():
        (fault,) = settings.load(Request(), program, installed, []).faults
    assert str(fault).startswith(f'configuration "{program.config}": Permission denied')
    assert settings.load(Request(), program, installed, []).faults == ()
