from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from moorage_cli import options
from moorage_cli.options import Creation
from moorage_sdk import errors
from moorage_sdk.platforms import Platform
from moorage_specs.confinements import Confinement
from moorage_specs.selinux import Labels


def parse(*arguments: str) -> Creation:
    seen: list[Creation] = []

    @click.command(context_settings={"allow_interspersed_args": False})
    @click.option("--own", is_flag=True)
    @options.creation
    def command(creation: Creation, own: bool) -> None:
        """Help."""
        assert own
        seen.append(creation)

    result = CliRunner().invoke(command, ["--own", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_what_is_behind_the_image_belongs_to_the_command() -> None:
    creation = parse("-it", "alpine", "ls", "-l", "--name", "x")
    assert (creation.image, creation.command, creation.name) == ("alpine", ("ls", "-l", "--name", "x"), "")
    assert creation.interactive
    assert creation.tty


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").write_text("# comment\n\nC=3\nA=file\n")
    monkeypatch.setenv("OWN", "o")
    creation = parse(
        *(
            "-e",
            "A=1",
            "-e",
            "OWN",
            "--env-file",
            str(tmp_path / "env"),
            "-w",
            "/w",
            "-u",
            "5:6",
            "-v",
            f"{tmp_path}:/x",
        ),
        *(
            "-m",
            "1m",
            "--cpus",
            "0.5",
            "--pids-limit",
            "7",
            "--entrypoint",
            "/bin/e 'a b'",
            "--network",
            "host",
            "i",
            "c",
        ),
    )
    settings = creation.settings()
    assert settings.env == ("C=3", "A=file", "A=1", "OWN=o")
    assert settings.entrypoint == ("/bin/e", "a b")
    assert (settings.limits.memory, settings.limits.cpu_quota, settings.limits.pids) == (1 << 20, 50_000, 7)
    assert settings.volumes[0].source == str(tmp_path)
    assert settings.host_network
    assert (settings.working_dir, settings.user, settings.command) == ("/w", "5:6", ("c",))


def test_an_empty_entrypoint_is_not_none() -> None:
    assert parse("--entrypoint", "", "i").settings().entrypoint == ()
    assert parse("i").settings().entrypoint is None


def test_labels_and_restart_policies() -> None:
    creation = parse("-l", "a=b=c", "-l", "gone", "--restart", "on-failure:3", "i")
    assert creation.labels() == {
        "a": "b=c",
        "containerd.io/restart.policy": "on-failure:3",
    }
    assert parse("i").labels() == {}


@pytest.mark.parametrize("policy", ["sometimes", "always:3", "on-failure:x", ":1"])
def test_unknown_restart_policies(policy: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        replace(parse("i"), restart=policy).labels()


@pytest.mark.parametrize("label", ["=x", "k=" + "v" * 5000])
def test_labels_that_are_none(label: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        replace(parse("i"), label=(label,)).labels()


def test_platforms() -> None:
    assert parse("--platform", "arm64", "i").chosen_platform() == Platform("linux", "arm64")
    assert parse("i").chosen_platform() is None


def test_an_entry_point_with_an_open_quote_is_told() -> None:
    with pytest.raises(errors.InvalidArgument, match='entry point "sh -c \'x"'):
        parse("--entrypoint", "sh -c 'x", "alpine").settings()


def test_a_file_of_variables_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"A=\xff\n")
    with pytest.raises(errors.InvalidArgument, match='env": not UTF-8'):
        parse("--env-file", str(tmp_path / "env"), "alpine").settings()


def test_what_keeps_a_container_in(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"defaultAction": "SCMP_ACT_LOG"}')
    assert parse("i").settings().confinement == Confinement()
    assert parse("--allow-new-privs", "i").settings().confinement == Confinement(no_new_privileges=False)
    options = ("--security-opt", f"seccomp={tmp_path}/own.json", "--security-opt", "no-new-privileges")
    assert parse(*options, "i").settings().confinement == Confinement(
        {"defaultAction": "SCMP_ACT_LOG"}, "", Labels(), True
    )
    assert parse("--security-opt", "seccomp=unconfined", "i").settings().confinement.seccomp == {}
    assert parse("--sysctl", "net.a.b=1", "i").settings().sysctls == ("net.a.b=1",)


def test_new_privileges_are_allowed_or_not() -> None:
    with pytest.raises(errors.InvalidArgument, match="only one of them"):
        parse("--allow-new-privs", "--security-opt", "no-new-privileges", "i").settings()
