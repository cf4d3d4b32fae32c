import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from moorage_cli import main, sessions
from moorage_sdk import errors

HEAVY = (
    "grpc",
    "google.protobuf",
    "rich",
    "importlib.metadata",
    "asyncio",
    "moorage_client",
    "moorage_api",
    "ssl",
    "json",
)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom moorage_cli import main\nassert main.invoke(['--help']) == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    # Without site: a .pth file of an editable install imports what it likes.
    path = [entry for entry in sys.path if entry]
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {path!r}\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Run a command in a new container" in done.stdout


def test_an_error_is_one_line_and_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["-a", str(tmp_path / "none"), "ps"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f'moorage: daemon at "{tmp_path}/none": no such socket', "hint: is the daemon running?"]


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_verbs_that_run_something_have_a_code_of_their_own(tmp_path: Path, verb: str) -> None:
    assert main.invoke(["-a", str(tmp_path / "none"), verb, "x", "y"]) == 125
    assert main.invoke([verb, "--bogus"]) == 125


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["ps", "--bogus"]) == 2
    assert main.invoke(["nonsense"]) == 2
    assert "No such command 'nonsense'" in capsys.readouterr().err


def test_our_version_needs_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("-v", "--version"):
        assert main.invoke(["-a", str(tmp_path / "none"), option]) == 0
        assert capsys.readouterr().out == f"moorage {metadata.version('moorage-cli')}\n"


def test_debug_behind_the_verb_is_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an argument of the container's program."""
    arguments = ["-a", str(tmp_path / "none"), "run", "busybox", "program", "--debug"]
    assert main.invoke(arguments) == 125
    assert "no such socket" in capsys.readouterr().err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable):
        main.invoke(["--debug", "-a", str(tmp_path / "none"), "ps"])


@pytest.mark.parametrize(
    ("arguments", "code"), [(["run", "--env-file", "{}", "busybox"], 125), (["load", "-i", "{}"], 1)]
)
def test_a_missing_file_is_no_traceback(cli: Any, tmp_path: Path, arguments: list[str], code: int) -> None:
    result = cli(*(each.format(tmp_path / "none") for each in arguments))
    assert (result.code, result.err) == (code, f'moorage: "{tmp_path}/none": No such file or directory\n')


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ([], {}, sessions.Options()),
        (["-a", "x", "-n", "y"], {"CONTAINERD_ADDRESS": "e"}, sessions.Options("x", "y")),
        ([], {"CONTAINERD_ADDRESS": "c", "CONTAINERD_NAMESPACE": "n"}, sessions.Options("c", "n")),
        ([], {"CONTAINERD_ADDRESS": "c", "MOORAGE_ADDRESS": "m"}, sessions.Options("m")),
    ],
)
def test_global_options(arguments: list[str], environment: dict[str, str], expected: Any) -> None:
    seen: list[Any] = []

    @click.command("probe")
    def probe() -> None:
        seen.append(sessions.options())

    main.command.add_command(probe)
    found = {"CONTAINERD_ADDRESS": None, "MOORAGE_ADDRESS": None, "CONTAINERD_NAMESPACE": None, **environment}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main.Verbs, "get_command", lambda self, ctx, name: probe)
        CliRunner().invoke(main.command, [*arguments, "probe"], env=found, catch_exceptions=False)
    assert seen == [expected]


def test_a_contributed_verb_is_looked_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    class Point:
        def load(self) -> click.Command:
            return click.Command("extra", callback=lambda: 7)

    def entry_points(**selection: str) -> list[Point]:
        asked.append(selection)
        return [Point()]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert main.invoke(["extra"]) == 7
    assert asked == [{"group": "moorage.command", "name": "extra"}]


def test_verbs_of_the_daemons_program_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(group: str, name: str) -> list[object]:
        assert group != "moorage.verb", "what is there is no command of click"
        return []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert main.invoke(["publish"]) == 2


def test_a_reader_who_has_enough() -> None:
    command = f"{sys.executable} -m moorage_cli completion bash | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "1")
