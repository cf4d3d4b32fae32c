from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import specs
from moorage_runtime_runc.specs import Traits
from moorage_sdk import errors


def write(folder: Path, value: Any) -> Path:
    (folder / "config.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def test_traits(tmp_path: Path) -> None:
    private = {"linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}
    assert specs.traits(write(tmp_path, private)) == Traits(private_pids=True)
    joined = {"linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}]}}
    assert specs.traits(write(tmp_path, joined)) == Traits()
    labelled = {"process": {"apparmorProfile": "x"}, "linux": {"namespaces": None}}
    assert specs.traits(write(tmp_path, labelled)) == Traits(labelled=True)
    assert specs.traits(write(tmp_path, {"process": {"selinuxLabel": "y"}})).labelled
    assert specs.traits(write(tmp_path, {"hooks": {"poststop": [{"path": "/bin/true"}]}})) == Traits(poststop=True)
    assert specs.traits(write(tmp_path, {"root": {"path": "/r", "readonly": True}})) == Traits(root="/r")
    assert specs.traits(write(tmp_path, {"hooks": {"poststop": [], "prestart": [{"path": "/x"}]}})) == Traits()


@pytest.mark.parametrize("text", ["", "[", "[]", "7", '{"linux": 7}', '{"linux":{"namespaces":7}}', "[" * 100_000])
def test_what_cannot_be_read_has_no_traits(tmp_path: Path, text: str) -> None:
    assert specs.traits(write(tmp_path, text)) == Traits()
    specs.check(tmp_path)


@pytest.mark.parametrize("cwd", ["/proc/self/fd", "/proc/self/fd/7/..", "/dev/fd/3", "/proc/thread-self/fd/9"])
def test_working_directories_among_descriptors(tmp_path: Path, cwd: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="lies among file descriptors"):
        specs.check(write(tmp_path, {"process": {"cwd": cwd}}))
    with pytest.raises(errors.InvalidArgument):
        specs.process(json.dumps({"cwd": cwd}).encode())


def test_process_specs() -> None:
    assert specs.process(b'{"cwd": "/proc/self/fdx"}') == {"cwd": "/proc/self/fdx"}
    for bad in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(errors.InvalidArgument, match="process spec"):
            specs.process(bad)
