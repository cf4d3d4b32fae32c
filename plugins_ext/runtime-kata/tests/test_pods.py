import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_runtime_kata import pods
from moorage_sdk import errors
from moorage_sdk.events import Payload

EVIL = "io.katacontainers.config.hypervisor.path"
FINE = "io.katacontainers.config.hypervisor.default_vcpus"


def varint(value: int) -> bytes:
    head, rest = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + varint(rest) if rest else bytes([head])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def annotation(name: str, value: str = "x") -> bytes:
    return field(7, field(1, name.encode()) + field(2, value.encode()))


def test_annotations_go_and_everything_else_stays() -> None:
    before = field(1, b"metadata") + varint(5 << 3) + varint(300) + varint(20 << 3 | 1) + b"8 bytes!"
    after = field(8, b"linux") + varint(21 << 3 | 5) + b"four"
    pod = before + annotation(EVIL) + annotation(FINE) + annotation("plain") + after
    assert pods.cleaned("pod", pod, [FINE]) == (before + annotation(FINE) + annotation("plain") + after, [EVIL])


def test_the_last_key_of_an_entry_counts() -> None:
    entry = field(7, field(1, b"plain") + field(2, b"x") + field(1, EVIL.encode()))
    assert pods.cleaned("pod", entry, []) == (b"", [EVIL])


def test_a_number_may_be_written_longer_than_it_must() -> None:
    entry = b"\xba\x80\x00" + annotation(EVIL)[1:]
    assert pods.cleaned("pod", entry, []) == (b"", [EVIL])


@pytest.mark.parametrize(
    "broken", [b"\x3a", b"\x3a\x05abc", b"\x80" * 11, b"\x3b", field(7, b"\x0a\xff"), b"\x09short"]
)
def test_what_is_no_pod_is_refused(broken: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match='configuration of sandbox "s"'):
        pods.cleaned('sandbox "s"', broken, [])


@given(st.binary(max_size=64))
def test_whatever_comes_is_kept_or_refused(data: bytes) -> None:
    try:
        kept, refused = pods.cleaned("pod", data, [])
    except errors.InvalidArgument:
        return
    assert (kept, refused) == (data, [])


def test_types() -> None:
    assert pods.holds(Payload("runtime.v1.PodSandboxConfig", b""))
    assert pods.holds(Payload("type.googleapis.com/runtime.v1.PodSandboxConfig", b""))
    assert not pods.holds(Payload("runtimeoptions.v1.Options", b""))
