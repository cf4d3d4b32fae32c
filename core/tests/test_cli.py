import re

import pytest

from moorage_core import cli, programs


def test_faults_are_told_on_standard_error_with_a_next_step(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--config", f"{tmp_path}/none.toml", "config", "check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f'mooraged: configuration "{tmp_path}/none.toml": No such file or directory',
        'mooraged: the configuration has faults, nothing was started; check it with "mooraged config check"',
    ]


def test_a_fault_of_ours_is_an_exit_code_with_a_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.daemons, "run", lambda request, program: 1 // 0)
    assert cli.main([]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(request: object, program: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(cli.daemons, "run", gone)
    assert cli.main([]) == 1
    assert capsys.readouterr().err == ""


def test_an_unknown_verb_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve"]) == 1
    assert 'mooraged: verb "serve": not found' in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-v", "--version"])
def test_the_version_is_the_programs(
    flag: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(programs.VARIABLE, "containerd")
    with pytest.raises(SystemExit, match="0"):
        cli.main([flag])
    assert re.fullmatch(
        r"containerd github\.com/containerd/containerd v\d+\.\d+\.\d+ moorage-\S+\n", capsys.readouterr().out
    )


def test_flags_are_containerds() -> None:
    arguments = cli.parser(programs.CONTAINERD).parse_args(
        ["-c", "/c", "-l", "DEBUG", "-a", "/s", "--root", "/r", "--state", "/t", "config", "dump", "--more"]
    )
    assert (arguments.config, arguments.log_level, arguments.address) == ("/c", "debug", "/s")
    assert (arguments.root, arguments.state, arguments.verb) == ("/r", "/t", ["config", "dump", "--more"])


def test_an_unknown_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["--nonsense"])
    assert "--nonsense" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("-config /c -log-level=debug", "--config /c --log-level=debug"),
        ("-version", "--version"),
        ("-c /c -a -root -state /s", "-c /c -a -root --state /s"),
        ("--root /r -help", "--root /r --help"),
        ("-v -state /s", "-v --state /s"),
        ("-address /a oci-hook -config x", "--address /a oci-hook -config x"),
        ("config -config", "config -config"),
        ("-odd -config /c", "-odd -config /c"),
        ("", ""),
    ],
)
def test_one_dash_is_as_good_as_two_before_the_verb(words: str, meant: str) -> None:
    assert cli.dashed(words.split()) == meant.split()


def test_a_flag_with_one_dash_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["-config", "/moorage/no/such.toml", "config", "check"]) == 1
    assert '"/moorage/no/such.toml"' in capsys.readouterr().err
