"""What is committed is what the protos say."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

API = Path(__file__).parents[1]


def loaded(name: str) -> ModuleType:
    """A script beside the tests' parent, which is no part of an installed package."""
    spec = importlib.util.spec_from_file_location(name, API / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_descriptor_sets_and_stubs_are_up_to_date() -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    done = subprocess.run([sys.executable, API / "generate.py", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_difference_is_found(tmp_path: Path) -> None:
    loaded("stubs")
    generate = loaded("generate")
    same, other, missing = tmp_path / "same.pyi", tmp_path / "other.pyi", tmp_path / "missing.pyi"
    same.write_bytes(b"x")
    other.write_bytes(b"y")
    assert generate.differences({same: b"x", other: b"x", missing: b"x"}) == [other, missing]


def test_descriptor_sets_are_compared_by_meaning(tmp_path: Path) -> None:
    loaded("stubs")
    generate = loaded("generate")
    committed = tmp_path / "set.binpb"
    committed.write_bytes(b"\x0a\x06\x0a\x01a\x12\x01p")
    assert generate.differences({committed: b"\x0a\x06\x12\x01p\x0a\x01a"}) == []
    assert generate.differences({committed: b"\x0a\x06\x12\x01q\x0a\x01a"}) == [committed]
