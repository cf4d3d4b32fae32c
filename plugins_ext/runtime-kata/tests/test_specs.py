import json
from typing import Any

import pytest

from moorage_runtime_kata import specs
from moorage_sdk import errors

EVIL = "io.katacontainers.config.hypervisor.path"
FINE = "io.katacontainers.config.hypervisor.default_vcpus"
POD = "io.kubernetes.cri.sandbox-id"


def cleaned(document: Any) -> tuple[Any, list[str]]:
    spec = document if isinstance(document, bytes) else json.dumps(document).encode()
    made, refused = specs.cleaned('container "c"', spec, [FINE])
    return json.loads(made), refused


def test_what_is_listed_stays_with_all_the_rest() -> None:
    spec = {"ociVersion": "1.1.0", "annotations": {EVIL: "/evil", FINE: "2", POD: "p"}, "process": {"args": ["true"]}}
    assert cleaned(spec) == ({**spec, "annotations": {FINE: "2", POD: "p"}}, [EVIL])


@pytest.mark.parametrize("spec", [{}, {"annotations": None}, {"annotations": {POD: "p"}}, {"annotations": []}])
def test_without_any_nothing_changes(spec: dict[str, Any]) -> None:
    assert cleaned(spec) == (spec, [])


@pytest.mark.parametrize("key", ["Annotations", "ANNOTATIONS", "annotation\u017f"])
def test_keys_that_go_takes_for_it(key: str) -> None:
    """encoding/json folds case, and the long s with it."""
    assert cleaned({key: {EVIL: "/evil"}, "annotations": {EVIL: "/evil"}}) == ({key: {}, "annotations": {}}, [EVIL] * 2)


@pytest.mark.parametrize(
    "spec",
    [
        b'{"annotations": {"%s": "x"}, "annotations": {}}' % EVIL.encode(),
        b'{"annotations": {"a": "x", "a": "y"}}',
        b"[]",
        b"nonsense",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(spec: bytes) -> None:
    """Go joins objects that are there twice, Python takes the last."""
    with pytest.raises(errors.InvalidArgument, match='spec of container "c"'):
        cleaned(spec)
