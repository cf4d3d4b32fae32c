import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_
from hypothesis import strategies as st

from moorage_core import daemons, programs, references, writers
from moorage_core.settings import ConfigurationError, Request

Write = Callable[..., str]
A = "io.example.alpha.v1"

PLUGIN = """
from moorage_sdk.durations import Duration
from moorage_sdk.tables import Table
@dataclass(frozen=True)
class Inner:
    depth: int = 1
    '''How deep.'''
@dataclass(frozen=True)
class Config:
    size: int = 1
    '''Bytes of ``one`` thing.

    Or of two.
    '''
    names: tuple[str, ...] = ()
    delay: Duration = Duration(0.1)
    inner: Inner = Inner()
LIMITS = Table("timeouts", Duration, {"near": Duration(1)}, closed=True)
WAYS = Table("ways", Inner, {"first": Inner(7)})
plugin = Plugin(ALPHA, "one", lambda ctx, config: config, Config, tables=(LIMITS, WAYS))
"""


def document(site: Any, path: str) -> str:
    installed = site.installed()
    planned = daemons.plan(daemons.outline(Request(path), programs.MOORAGED, installed), installed)
    return references.document(planned, planned.settings.top.imports)


def test_every_setting_has_its_description_above_it(site: Any) -> None:
    site.plugin("one", PLUGIN)
    text = document(site, "/dev/null")
    assert text.endswith(f"""
[timeouts]
near = "1s"

[ways.first]
# How deep.
depth = 7

[plugins."{A}.one"]
# Bytes of `one` thing.
#
# Or of two.
size = 1
names = []
delay = "100ms"

[plugins."{A}.one".inner]
# How deep.
depth = 1
""")
    assert "# Directory for what must survive a reboot. Mode 0700.\nroot = " in text


def test_what_files_say_is_there_whoever_reads_it(site: Any, write: Write) -> None:
    site.plugin("one", PLUGIN)
    table = tomllib.loads(
        document(
            site,
            write(
                config=f'disabled_plugins = ["{A}.off"]\n[timeouts]\nfar = "2s"\n[ways.second]\n[others.a]\nb = 1\n'
                f'[plugins."{A}.off"]\nc = 2\n[plugins."{A}.one".inner]\ndepth = 9\n'
            ),
        )
    )
    assert table["timeouts"] == {"far": "2s", "near": "1s"}
    assert table["ways"] == {"first": {"depth": 7}, "second": {"depth": 1}}
    assert table["others"] == {"a": {"b": 1}}
    assert table["plugins"][f"{A}.off"] == {"c": 2}
    assert table["plugins"][f"{A}.one"]["inner"] == {"depth": 9}


durations = st.sampled_from(["1s", "0s", "2m0s", "150ms"])
names = st.text(min_size=1, max_size=8)
files = st.fixed_dictionaries(
    {},
    optional={
        "root": st.just("/x"),
        "oom_score": st.integers(-1000, 1000),
        "timeouts": st.dictionaries(names, durations, max_size=3),
        "ways": st.dictionaries(names, st.fixed_dictionaries({}, optional={"depth": st.integers(-9, 9)}), max_size=3),
        "debug": st.fixed_dictionaries({}, optional={"level": st.sampled_from(["", "warn"]), "more": names}),
        "plugins": st.fixed_dictionaries(
            {},
            optional={
                f"{A}.one": st.fixed_dictionaries(
                    {}, optional={"size": st.integers(), "names": st.lists(names), "delay": durations, "odd": names}
                ),
                f"{A}.none": st.dictionaries(names, st.integers() | names | st.booleans(), max_size=3),
            },
        ),
        "others": st.dictionaries(names, st.floats(allow_nan=False) | names, max_size=3),
    },
)


@given(files, files)
@settings_(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_printed_means_the_same_when_it_is_read(
    site: Any, write: Write, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Parsed, printed and parsed again, with a drop-in over it or without: the same text, and no fault on the way."""
    if not hasattr(site, "one"):
        site.plugin("one", PLUGIN)
        site.one = True
    write(more=writers.dumps(second))
    path = write(config=writers.dumps({**first, "version": 4, "imports": ["more.toml"]}))
    try:
        text = document(site, path)
    except ConfigurationError as error:
        assert all("64 bits" in str(fault) or "oom_score" in str(fault) for fault in error.faults)
        return
    again = write(again=text)
    assert document(site, again) == text
    assert "imports = []" in (alone := text.replace(f'imports = ["{path.replace("config", "more")}"]', "imports = []"))
    assert document(site, write(alone=alone)) == alone


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_old_version_is_printed_in_the_newest(site: Any, write: Write, version: int) -> None:
    text = document(site, write(config=f"version = {version}\noom_score = 3\n"))
    assert (tomllib.loads(text)["version"], tomllib.loads(text)["oom_score"]) == (4, 3)
    assert document(site, write(config=text)) == text
