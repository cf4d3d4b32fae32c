"""What containerd tells ``start``, in its two dialects."""

from __future__ import annotations

import subprocess
import sys

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from moorage_api.convert import typeurls
from moorage_api.messages import bootstrap, runc_options, runtime_options
from moorage_runtime_runc import starts
from moorage_sdk import errors

RUNC = runc_options.Options(binary_name="crun", shim_cgroup="/shims", root="/r")
GENERIC = runtime_options.Options(type_url="x", config_path="/x", config_body=b'BinaryName = "crun"\nShimCgroup = "/g"')


def parameters(*options: Message) -> bytes:
    told = bootstrap.BootstrapParams(instance_id="c", namespace="ns", log_level=-4, socket_dir="/run/s")
    for each in options:
        told.extensions.add().value.CopyFrom(typeurls.pack(each))
    return told.SerializeToString()


@pytest.mark.parametrize(
    ("told", "cgroup"),
    [
        (b"", ""),
        (typeurls.pack(RUNC).SerializeToString(), "/shims"),
        (Any(type_url="x/containerd.runc.v1.Options", value=RUNC.SerializeToString()).SerializeToString(), "/shims"),
        (typeurls.pack(GENERIC).SerializeToString(), "/g"),
        (typeurls.pack(runc_options.Options(binary_name="crun")).SerializeToString(), ""),
        (parameters(), ""),
        (parameters(RUNC), "/shims"),
        (parameters(bootstrap.BootstrapResult(version=3, address="/a", protocol="x"), GENERIC), "/g"),
        (typeurls.pack(runtime_options.Options(config_body=b"ShimCgroup = 3")).SerializeToString(), ""),
        (typeurls.pack(runtime_options.Options(config_body=b"ShimCgroup =")).SerializeToString(), ""),
        (typeurls.pack(runtime_options.Options(config_body=b"ShimCgroup = '\xff'")).SerializeToString(), ""),
        (b"\xff\xff", ""),
        (b"\x0a\x02c", ""),
    ],
)
def test_the_cgroup_of_the_shim(told: bytes, cgroup: str) -> None:
    assert starts.shim_cgroup(told, "ns", "c") == cgroup


def test_the_dialects_are_told_apart_by_who_is_meant() -> None:
    """An Any is BootstrapParams of a container that is called like a type, as far as the bytes can tell."""
    assert starts.options(parameters(RUNC), "ns", "c") == [(starts.RUNC, RUNC.SerializeToString())]
    assert starts.options(parameters(RUNC), "ns", "d") == [("c", b"ns")]
    packed = typeurls.pack(RUNC).SerializeToString()
    assert starts.options(packed, "ns", "c") == [(starts.RUNC, RUNC.SerializeToString())]


@given(st.binary(max_size=64))
def test_no_input_whatsoever_keeps_a_shim_from_starting(told: bytes) -> None:
    starts.shim_cgroup(told, "ns", "c")
    try:
        starts.options(told, "ns", "c")
    except (errors.InvalidArgument, UnicodeDecodeError):
        return


def test_protobuf_is_not_needed() -> None:
    code = f"import sys; from moorage_runtime_runc.starts import *; print(shim_cgroup({parameters(RUNC)!r}, 'ns', 'c'))"
    code += "; print(*({'google', 'asyncio', 'tomllib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["/shims", ""]
