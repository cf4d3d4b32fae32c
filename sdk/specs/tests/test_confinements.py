import json
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_specs import confinements
from moorage_specs.confinements import UNCONFINED, Confinement


def test_nothing_said() -> None:
    assert confinements.parse([]) == Confinement()


def test_seccomp(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_LOG"}))
    assert confinements.parse(["seccomp=unconfined"]).seccomp is UNCONFINED
    assert confinements.parse([f"seccomp={tmp_path}/own.json"]).seccomp == {"defaultAction": "SCMP_ACT_LOG"}
    assert confinements.parse([f"seccomp:{tmp_path}/own.json"]).seccomp == {"defaultAction": "SCMP_ACT_LOG"}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("no-new-privileges", True),
        ("no-new-privileges=true", True),
        ("no-new-privileges:true", True),
        ("no-new-privileges=false", False),
    ],
)
def test_no_new_privileges(option: str, expected: bool) -> None:
    assert confinements.parse([option]).no_new_privileges is expected


def test_security_modules_that_are_not_there(tmp_path: Path) -> None:
    assert confinements.parse(["apparmor=unconfined", "label=disable"], tmp_path) == Confinement()
    for option in ("apparmor=docker-default", "label=type:spc_t", "label:type:spc_t"):
        with pytest.raises(errors.FailedPrecondition):
            confinements.parse([option], tmp_path)


@pytest.mark.parametrize(
    "option",
    ["", "seccomp", "seccomp=", "apparmor=", "label", "no-new-privileges=yes", "systempaths=unconfined", "x=y"],
)
def test_unknown_options(option: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="security option"):
        confinements.parse([option])


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"{}", b'{"defaultAction": 3}', b"\xff", b"[" * 100_000])
def test_files_that_are_no_profile(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(errors.InvalidArgument, match="seccomp profile"):
        confinements.parse([f"seccomp={tmp_path}/p"])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(errors.InvalidArgument, match="seccomp profile"):
            confinements.parse([f"seccomp={path}"])


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    with open(tmp_path / "p", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(errors.InvalidArgument, match="larger than"):
        confinements.parse([f"seccomp={tmp_path}/p"])
