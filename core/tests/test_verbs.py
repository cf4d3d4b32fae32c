import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_core import programs, verbs
from moorage_core.settings import ConfigurationError, Request
from moorage_sdk import errors

Write = Callable[..., str]
A = "io.example.alpha.v1"

PLUGIN = """
from moorage_sdk.durations import Duration
@dataclass(frozen=True)
class Config:
    size: int = 1
    delay: Duration = Duration(0.1)
plugin = Plugin(ALPHA, "{}", lambda ctx, config: 1 / 0, Config)
"""


@pytest.fixture
def say(site: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a verb and return what it prints."""

    def run(words: str, config: str = "/dev/null", program: programs.Program = programs.MOORAGED) -> str:
        installed = site.installed()
        verb = verbs.find(words.split(), installed)
        assert verb(Request(config), program, installed) == 0
        return capsys.readouterr().out

    return run


def test_the_default_configuration_has_every_plugins_table(site: Any, say: Callable[..., str]) -> None:
    site.plugin("one", PLUGIN.format("one"))
    table = tomllib.loads(say("config default"))
    assert table["version"] == 4
    assert (table["root"], table["imports"]) == ("/var/lib/moorage", ["/etc/moorage/conf.d/*.toml"])
    assert table["plugins"] == {f"{A}.one": {"size": 1, "delay": "100ms"}}


def test_help_of_verbs(say: Callable[..., str]) -> None:
    for words in ("config --help", "config -h", "config default --help"):
        assert "mooraged config check: Print warnings\n" in say(words)


def test_the_dump_is_what_files_say_over_the_defaults(site: Any, say: Callable[..., str], write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    site.plugin("off", PLUGIN.format("off"))
    path = write(
        more='root = "/x"\n[proxies.a]\nb = 1',
        config=f'version = 4\nimports = ["more.toml"]\ndisabled_plugins = ["{A}.off"]\n'
        f'[timeouts]\n"io.t" = "2s"\n[plugins."{A}.one"]\nsize = 3\n[plugins."{A}.off"]\nsize = 4\n',
    )
    for verb in ("config dump", "config migrate"):
        text = say(verb, path)
        table = tomllib.loads(text)
        more = str(Path(path).parent / "more.toml")
        assert (table["root"], table["imports"], table["timeouts"]) == ("/x", [more], {"io.t": "2s"})
        assert table["plugins"] == {f"{A}.one": {"size": 3, "delay": "100ms"}, f"{A}.off": {"size": 4}}
        assert table["proxies"] == {"a": {"b": 1}}
        assert say(verb, write(again=text)) == text


def test_a_check_prints_warnings_and_raises_faults(site: Any, say: Callable[..., str], write: Write) -> None:
    path = write(config="version = 4\nrot = 1")
    assert say("config check", path) == (
        f'warning: {path}:2:1: rot: unknown key, did you mean "root"?\nthe configuration is good\n'
    )
    with pytest.raises(ConfigurationError):
        say("config check", write(config="version = 9"))


def test_the_list_of_plugins_starts_none(site: Any, say: Callable[..., str], write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    site.plugin("off", "raise SystemExit")
    path = write(config=f'disabled_plugins = ["{A}.off"]')
    assert say("plugin list", path).splitlines() == [
        f"{A}.off\tmoorage-alpha-off\tdisabled\tdisabled by disabled_plugins ({path}:1:21)",
        f"{A}.one\tmoorage-alpha-one\tenabled",
    ]


def test_plugins_contribute_verbs(site: Any, capsys: pytest.CaptureFixture[str]) -> None:
    source = "def publish(command):\n    print(*command.words)\n    return 3 if command.words else None"
    site.add("moorage-verbs", {"moorage.verb": {"publish": "site_verbs:publish"}}, {"site_verbs": source})
    installed = site.installed()
    request = Request("/dev/null")
    assert verbs.find(["publish", "--topic", "/x"], installed)(request, programs.MOORAGED, installed) == 3
    assert capsys.readouterr().out == "--topic /x\n"
    assert verbs.find(["publish"], installed)(request, programs.MOORAGED, installed) == 0


@pytest.mark.parametrize(
    ("program", "flags", "address"),
    [
        (programs.MOORAGED, {}, "/run/moorage/moorage.sock"),
        (programs.CONTAINERD, {}, "/run/containerd/containerd.sock"),
        (programs.CONTAINERD, {"state": "/s"}, "/s/containerd.sock"),
        (programs.MOORAGED, {"state": "/s", "address": "/a"}, "/a"),
    ],
)
def test_a_contributed_verb_is_told_where_the_daemon_listens(
    site: Any, capsys: pytest.CaptureFixture[str], program: programs.Program, flags: dict[str, str], address: str
) -> None:
    source = "def where(command):\n    print(command.program, command.address)"
    site.add("moorage-verbs", {"moorage.verb": {"where": "site_verbs:where"}}, {"site_verbs": source})
    assert verbs.find(["where"], site.installed())(Request("/absent", flags), program, site.installed()) == 0
    assert capsys.readouterr().out == f"{program.name} {address}\n"


def test_migrating_the_default_changes_nothing(site: Any, say: Callable[..., str], write: Write) -> None:
    site.plugin("one", PLUGIN.format("one"))
    for program in (programs.MOORAGED, programs.CONTAINERD):
        text = say("config default", program=program)
        assert say("config migrate", write(config=text), program=program) == text


def test_what_is_unknown_is_told_beside_the_dump(site: Any, capsys: pytest.CaptureFixture[str], write: Write) -> None:
    path, installed = write(config="rot = 1"), site.installed()
    assert verbs.dump(Request(path), programs.MOORAGED, installed) == 0
    assert capsys.readouterr().err == f'mooraged: warning: {path}:1:1: rot: unknown key, did you mean "root"?\n'


def test_a_dump_of_a_file_that_is_not_there_is_the_default_without_imports(
    site: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verbs.dump(Request("/no/such"), programs.CONTAINERD, site.installed()) == 0
    out, err = capsys.readouterr()
    assert tomllib.loads(out)["root"] == "/var/lib/containerd"
    assert err.startswith('containerd: configuration "/no/such": no such file')


@pytest.mark.parametrize("words", ["config", "config dmp", "serve", "plugin list x"])
def test_an_unknown_verb_says_which_there_are(site: Any, words: str) -> None:
    with pytest.raises(errors.NotFound, match=f'verb "{words}": not found .*config check'):
        verbs.find(words.split(), site.installed())
