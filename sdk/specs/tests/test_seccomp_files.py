from typing import Any

import pytest

from moorage_sdk import errors
from moorage_specs import seccomp_files
from moorage_specs.seccomp import Facts

FACTS = Facts("amd64", (4, 19), frozenset({"CAP_KILL", "CAP_SYS_TIME"}))


def kept(condition: dict[str, Any], facts: Facts = FACTS) -> bool:
    rule = {"names": ["x"], "action": "SCMP_ACT_ALLOW", **condition}
    return bool(seccomp_files.resolved({"defaultAction": "d", "syscalls": [rule]}, facts)["syscalls"])


def test_a_profile_of_the_runtime_specification_stays_as_it_is() -> None:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            {"names": ["a", "b"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1},
            {"names": ["c"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        ],
    }
    assert seccomp_files.resolved(document, FACTS) == document


def test_a_profile_of_docker() -> None:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
        ],
        "syscalls": [
            {"name": "a", "action": "SCMP_ACT_ALLOW", "args": None, "comment": "", "includes": {}, "excludes": {}}
        ],
    }
    assert seccomp_files.resolved(document, FACTS) == {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ALLOW"}],
    }
    assert seccomp_files.resolved(document, Facts("vax", (4, 19)))["architectures"] == []


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"includes": {"caps": ["CAP_KILL"]}}, True),
        ({"includes": {"caps": ["CAP_KILL", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_KILL", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "4.19"}}, True),
        ({"includes": {"minKernel": "5.1"}}, False),
        ({"excludes": {"minKernel": "4.8"}}, False),
        ({"excludes": {"minKernel": "5.1"}}, True),
        ({"includes": None, "excludes": None}, True),
    ],
)
def test_conditions_of_docker(condition: dict[str, Any], expected: bool) -> None:
    assert kept(condition) is expected


def test_docker_calls_a_386_x86() -> None:
    assert kept({"includes": {"arches": ["x86"]}}, Facts("386", (4, 19)))


@pytest.mark.parametrize(
    "document",
    [
        {"syscalls": {"names": ["a"]}},
        {"syscalls": [1]},
        {"syscalls": [{"action": "SCMP_ACT_ALLOW"}]},
        {"syscalls": [{"names": ["a"]}]},
        {"syscalls": [{"names": ["a"], "name": "b", "action": "SCMP_ACT_ALLOW"}]},
        {"syscalls": [{"names": ["a"], "action": "x", "includes": 3}]},
        {"syscalls": [{"names": ["a"], "action": "x", "includes": {"minKernel": "new"}}]},
        {"architectures": ["a"], "archMap": [{}]},
    ],
)
def test_documents_that_are_none(document: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidArgument, match="seccomp profile"):
        seccomp_files.resolved({"defaultAction": "d", **document}, FACTS)
