"""Stubs: what mypy is told about classes that exist only at run time."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import descriptor_pb2

API = Path(__file__).parents[1]
MESSAGES = API / "src" / "moorage_api" / "messages"


@pytest.fixture(scope="module")
def stubs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stubs", API / "stubs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def file(text: descriptor_pb2.FileDescriptorProto) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    return {text.name: text}


def test_a_field_of_each_kind(stubs: ModuleType) -> None:
    described = descriptor_pb2.FileDescriptorProto(name="a.proto", package="p")
    node = described.message_type.add(name="Node")
    node.field.add(name="count", number=1, type=4, label=1)
    node.field.add(name="names", number=2, type=9, label=3)
    node.field.add(name="child", number=3, type=11, label=1, type_name=".p.Node")
    node.field.add(name="since", number=4, type=11, label=1, type_name=".google.protobuf.Timestamp")
    text = stubs.render("a", file(described), {"a": ("a.proto",)})
    assert "    count: int\n" in text
    assert "    def names(self) -> _RepeatedScalarFieldContainer[str]: ...\n" in text
    assert "    def child(self) -> Node: ...\n" in text
    assert "        since: _timestamp_pb2.Timestamp | None = ...,\n" in text
    assert "from google.protobuf import timestamp_pb2 as _timestamp_pb2\n" in text


def test_a_message_without_fields_has_a_constructor_without_arguments(stubs: ModuleType) -> None:
    described = descriptor_pb2.FileDescriptorProto(name="a.proto", package="p")
    described.message_type.add(name="Nothing")
    assert "class Nothing(_Message):\n    def __init__(self) -> None: ...\n" in stubs.render(
        "a", file(described), {"a": ("a.proto",)}
    )


def test_maps_and_enumerations_of_a_real_module() -> None:
    text = (MESSAGES / "containers.pyi").read_text()
    assert "def extensions(self) -> _MessageMap[str, _any_pb2.Any]: ..." in text
    assert "def labels(self) -> _ScalarMap[str, str]: ..." in text
    assert "    class Runtime(_Message):" in text
    assert "RUNNING: int" in (MESSAGES / "task_types.pyi").read_text()


def checked(tmp_path: Path, code: str) -> str:
    program = tmp_path / "program.py"
    program.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", program]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path).stdout


def test_mypy_accepts_right_uses_and_names_wrong_ones(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not installed")
    output = checked(
        tmp_path,
        "from moorage_api.messages import images, task_types, types\n"
        "image = images.Image(name='n', labels={'a': 'b'}, target=types.Descriptor(size=1))\n"
        "status: int = task_types.RUNNING\n"
        "size: int = image.target.size\n"
        "images.Image(nam='n')\n"
        "image.name = 1\n"
        "image.target = types.Descriptor()\n",
    )
    lines = [line for line in output.splitlines() if ": error:" in line]
    assert [int(line.split(":")[1]) for line in lines] == [5, 6, 7], output
