import os
import sys

import pytest

from moorage_core import VERSION, programs


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/bin/containerd", "containerd"),
        ("containerd", "containerd"),
        ("/usr/bin/mooraged", "mooraged"),
        ("/x/moorage_core/__main__.py", "mooraged"),
        ("/containerd/x", "mooraged"),
        ("", "mooraged"),
    ],
)
def test_the_name_decides(path: str, name: str) -> None:
    assert programs.named(path).name == name


def test_under_containerds_name_everything_is_where_containerd_has_it() -> None:
    program = programs.CONTAINERD
    assert (program.config, program.root, program.state) == (
        "/etc/containerd/config.toml",
        "/var/lib/containerd",
        "/run/containerd",
    )
    assert program.version.split()[:2] == ["containerd", "github.com/containerd/containerd"]
    assert VERSION in program.version


def test_the_name_survives_the_re_execution_and_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/__main__.py", "config"])
    for key, value in programs.environment("/usr/bin/containerd", {"PATH": "/bin"}).items():
        monkeypatch.setenv(key, value)
    assert programs.current("/x/__main__.py").name == "containerd"
    assert sys.argv == ["/usr/bin/containerd", "config"]
    assert programs.VARIABLE not in os.environ and "MALLOC_ARENA_MAX" not in os.environ
    assert programs.current("/x/__main__.py").name == "mooraged"


def test_a_mere_name_is_no_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/__main__.py"])
    monkeypatch.setenv(programs.VARIABLE, "containerd")
    assert programs.current("/x/__main__.py").name == "containerd"
    assert sys.argv == ["/x/__main__.py"]


def test_an_administrators_own_setting_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = programs.environment("mooraged", {"MALLOC_ARENA_MAX": "8"})
    assert environment["MALLOC_ARENA_MAX"] == "8"


def test_the_name_of_the_socket() -> None:
    assert programs.CONTAINERD.socket == "containerd.sock"
    assert programs.MOORAGED.socket == "moorage.sock"
