"""The default profile beside upstream's decisions.

``upstream_seccomp.json`` is what ``DefaultProfile`` of ``contrib/seccomp`` in containerd v2.3.4 answered for each
architecture and capability, as sets of decisions: for each its calls, with the condition on an argument if it has one.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moorage_specs import capabilities, seccomp
from moorage_specs.seccomp import Facts
from moorage_sys.capabilities import NUMBERS

UPSTREAM = json.loads(Path(__file__).with_name("upstream_seccomp.json").read_text("utf-8"))
ARCHITECTURES = sorted(UPSTREAM["natives"])
CAPABILITIES = [f"CAP_{name}" for name in NUMBERS]
SIGNS = {"SCMP_CMP_LT": "<", "SCMP_CMP_EQ": "==", "SCMP_CMP_GT": ">"}
KERNEL = (6, 1)

Decisions = dict[str, set[str]]


def sets() -> list[frozenset[str]]:
    """None, the default ones, all, each alone, each missing, and some by chance."""
    chance = random.Random(20_260_000)
    return [
        frozenset(),
        frozenset(capabilities.DEFAULT),
        frozenset(CAPABILITIES),
        *(frozenset([name]) for name in CAPABILITIES),
        *(frozenset(CAPABILITIES) - {name} for name in CAPABILITIES),
        *(frozenset(chance.sample(CAPABILITIES, 9)) for _ in range(20)),
    ]


def decisions(profile: Mapping[str, Any]) -> Decisions:
    found: Decisions = {}
    for rule in profile["syscalls"]:
        for name in rule["names"]:
            found.setdefault(name, set()).add(words(rule))
    return found


def words(rule: Mapping[str, Any]) -> str:
    what = "allow" if rule["action"] == "SCMP_ACT_ALLOW" else f"fail {rule['errnoRet']}"
    for argument in rule.get("args") or ():
        value = f"{argument['value']:#x}"
        if argument["op"] == "SCMP_CMP_MASKED_EQ":
            what += f" if arg{argument['index']} & {value} == {argument.get('valueTwo', 0)}"
        else:
            what += f" if arg{argument['index']} {SIGNS[argument['op']]} {value}"
    return what


def expected(architecture: str, held: Iterable[str]) -> Decisions:
    held = set(held)
    parts = [UPSTREAM["everywhere"], UPSTREAM["on"].get(architecture, {})]
    parts += [part for name, part in UPSTREAM["with"].items() if name in held]
    if "CAP_SYS_ADMIN" not in held:
        parts.append(UPSTREAM["without CAP_SYS_ADMIN"][architecture])
    found: Decisions = {}
    for decision, names in itertools.chain.from_iterable(part.items() for part in parts):
        for name in names.split():
            found.setdefault(name, set()).update(decision.split(" | "))
    return found


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_decision_is_upstreams(architecture: str) -> None:
    for held in sets():
        profile = seccomp.profile(Facts(architecture, KERNEL, held))
        assert decisions(profile) == expected(architecture, held), sorted(held)
        assert profile.get("architectures", []) == UPSTREAM["natives"][architecture]
        assert profile["defaultAction"] == "SCMP_ACT_ERRNO"


def test_every_capability_of_upstream_is_one_that_we_know() -> None:
    assert UPSTREAM["with"].keys() <= set(CAPABILITIES)


def test_tracing_is_allowed_once_tracers_cannot_go_around_the_filter() -> None:
    old = decisions(seccomp.profile(Facts("amd64", (4, 7))))
    new = decisions(seccomp.profile(Facts("amd64", (4, 8))))
    assert new.keys() - old.keys() == {"ptrace", "process_vm_readv", "process_vm_writev"}
    assert "ptrace" in decisions(seccomp.profile(Facts("amd64", (4, 7), frozenset(["CAP_SYS_PTRACE"]))))


def test_sec_60_no_condition_repeats_an_argument() -> None:
    """runc makes two rules of such a one, and either would do."""
    for held in sets():
        for rule in seccomp.profile(Facts("amd64", KERNEL, held))["syscalls"]:
            indexes = [argument["index"] for argument in rule.get("args", ())]
            assert len(indexes) == len(set(indexes))


@pytest.mark.parametrize("name", ["keyctl", "add_key", "userfaultfd", "io_uring_setup", "kexec_load", "unshare"])
def test_sec_60_what_nobody_needs_is_not_there(name: str) -> None:
    assert name not in decisions(seccomp.profile(Facts("amd64", KERNEL, frozenset(capabilities.DEFAULT))))


def test_sec_55_every_profile_is_a_fresh_one() -> None:
    first = seccomp.profile(Facts("amd64", KERNEL))
    first["syscalls"][0]["names"].clear()
    first["architectures"].clear()
    second = seccomp.profile(Facts("amd64", KERNEL))
    assert second["syscalls"][0]["names"]
    assert second["architectures"]


def test_the_bounding_set_of_a_process() -> None:
    assert seccomp.bounding({"capabilities": {"bounding": ["CAP_KILL"]}}) == {"CAP_KILL"}
    assert seccomp.bounding({"capabilities": None}) == frozenset()
