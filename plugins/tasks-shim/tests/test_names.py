"""Names of runtimes and the binaries behind them."""

import sys
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_tasks_shim import names


@pytest.mark.parametrize(
    ("runtime", "binary"),
    [
        ("io.containerd.runc.v2", "containerd-shim-runc-v2"),
        ("io.containerd.kata.v2", "containerd-shim-kata-v2"),
        ("wasm.v1", "containerd-shim-wasm-v1"),
        ("runc", ""),
        ("runc.", ""),
        ("", ""),
    ],
)
def test_binary_name(runtime: str, binary: str) -> None:
    assert names.binary_name(runtime) == binary


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_absolute_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    shim = executable(tmp_path / "my-shim")
    assert names.resolve(str(shim)) == shim
    with pytest.raises(errors.NotFound, match="no such binary"):
        names.resolve(str(tmp_path / "gone"))


def test_names_are_looked_up_in_the_path(tmp_path: Path) -> None:
    shim = executable(tmp_path / "containerd-shim-x-v1")
    assert names.resolve("io.containerd.x.v1", str(tmp_path)) == shim


def test_names_are_looked_up_beside_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = executable(tmp_path / "containerd-shim-x-v1")
    for attribute, value in (("argv", [str(tmp_path / "mooraged")]), ("executable", str(tmp_path / "python3"))):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["/elsewhere/mooraged"])
            patched.setattr(sys, attribute, value)
            assert names.resolve("io.containerd.x.v1", "/nowhere") == names.beside("io.containerd.x.v1") == shim
    assert names.beside("io.containerd.x.v1") is None


@pytest.mark.parametrize("runtime", ["bin/shim", "./shim.v1/x", "runc", "", "../io.containerd.runc.v2"])
def test_other_names_are_invalid(runtime: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid runtime name"):
        names.resolve(runtime)


def test_a_binary_that_is_not_installed_is_named() -> None:
    with pytest.raises(errors.NotFound, match="containerd-shim-nothere-v9"):
        names.resolve("io.containerd.nothere.v9")
