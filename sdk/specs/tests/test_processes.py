from typing import Any

import pytest

from moorage_sdk import errors, platforms
from moorage_specs import processes
from moorage_specs.configs import Config
from moorage_specs.confinements import Confinement
from moorage_specs.selinux import Labels
from moorage_specs.settings import Settings
from moorage_specs.users import User

CONFIG = Config(platforms.host(), entrypoint=("/e",), command=("c",), env=("PATH=/bin", "A=1"), working_dir="w")
PLAIN = Settings()


def build(settings: Settings = PLAIN, config: Config = CONFIG) -> dict[str, Any]:
    return processes.init(config, User(1, 2, (2, 3)), settings)


def test_sec_46_no_inheritable_nor_ambient_capabilities() -> None:
    for settings in (Settings(), Settings(privileged=True), Settings(cap_add=("ALL",))):
        assert set(build(settings)["capabilities"]) == {"bounding", "effective", "permitted"}


def test_a_command_replaces_the_images() -> None:
    assert build(Settings(command=("x", "y")))["args"] == ["/e", "x", "y"]


def test_an_entrypoint_drops_the_images_command() -> None:
    assert build(Settings(entrypoint=("n",)))["args"] == ["n"]
    assert build(Settings(entrypoint=(), command=("x",)))["args"] == ["x"]


def test_no_command_at_all() -> None:
    with pytest.raises(errors.InvalidArgument, match="no command"):
        build(config=Config(platforms.host()))


def test_a_null_byte_in_the_command() -> None:
    with pytest.raises(errors.InvalidArgument):
        build(Settings(command=("a\0b",)))


def test_an_image_without_environment_gets_a_path() -> None:
    env = build(Settings(env=("B=2",)), Config(platforms.host(), command=("c",)))["env"]
    assert env[0].startswith("PATH=/usr/local/sbin:")
    assert env[1] == "B=2"


def test_a_terminal_sets_term_unless_somebody_did() -> None:
    assert build(Settings(terminal=True))["env"][0] == "TERM=xterm"
    assert "TERM=dumb" in build(Settings(terminal=True, env=("TERM=dumb",)))["env"]
    assert not any(entry.startswith("TERM") for entry in build()["env"])


@pytest.mark.parametrize("settings", [Settings(env=("A=b\0c",)), Settings(env=("X\0=1",))])
def test_sec_54_null_bytes_in_the_environment(settings: Settings) -> None:
    with pytest.raises(errors.InvalidArgument, match="null byte"):
        build(settings)


def test_sec_54_null_bytes_in_the_environment_of_an_image() -> None:
    with pytest.raises(errors.InvalidArgument, match="null byte"):
        build(config=Config(platforms.host(), command=("c",), env=("A=b\0c",)))


def test_sec_54_a_newline_stays_within_its_variable() -> None:
    env = build(Settings(env=("HOME=/root\nevil::0:0::/:/bin/sh",)))["env"]
    assert env == ["PATH=/bin", "A=1", "HOME=/root\nevil::0:0::/:/bin/sh"]


@pytest.mark.parametrize("settings", [Settings(working_dir="/proc/self/fd/7"), Settings(working_dir="/dev/fd/7")])
def test_sec_61_working_directories_among_descriptors(settings: Settings) -> None:
    with pytest.raises(errors.InvalidArgument, match="file descriptors"):
        build(settings)


@pytest.mark.parametrize(
    ("privileged", "asked", "expected"),
    [(False, None, True), (False, False, False), (True, None, False), (True, True, True)],
)
def test_new_privileges(privileged: bool, asked: bool | None, expected: bool) -> None:
    settings = Settings(privileged=privileged, confinement=Confinement(no_new_privileges=asked))
    assert build(settings)["noNewPrivileges"] is expected


def test_what_security_modules_are_told() -> None:
    found = build(Settings(confinement=Confinement(apparmor="mine", labels=Labels("p", "m"))))
    assert (found["apparmorProfile"], found["selinuxLabel"]) == ("mine", "p")
    assert not {"apparmorProfile", "selinuxLabel"} & build().keys()


def test_sec_46_a_further_process_of_a_container_of_others_inherits_nothing() -> None:
    sets = {kind: ["CAP_KILL"] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")}
    first = {"args": ["x"], "capabilities": sets, "noNewPrivileges": True, "apparmorProfile": "p"}
    further = processes.further(first)
    assert set(further["capabilities"]) == {"bounding", "effective", "permitted"}
    assert (further["noNewPrivileges"], further["apparmorProfile"]) == (True, "p")
    further["capabilities"]["bounding"].clear()
    assert first["capabilities"] == {kind: ["CAP_KILL"] for kind in sets}


def test_a_further_process_of_a_container_without_capabilities() -> None:
    assert processes.further({"args": ["x"]}) == {"args": ["x"]}
