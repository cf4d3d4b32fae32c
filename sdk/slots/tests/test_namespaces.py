import pytest

from moorage_sdk import errors, namespaces
from moorage_sdk.namespaces import Namespace


def test_a_namespace_is_required_before_it_is_judged() -> None:
    assert namespaces.required("k8s.io") == "k8s.io"
    with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
        namespaces.required("")
    with pytest.raises(errors.InvalidArgument, match="namespace"):
        namespaces.required("a/b")


def test_namespaces_do_not_share_labels() -> None:
    first, second = Namespace("a"), Namespace("b")
    assert first.labels == {} and first.labels is not second.labels


def test_what_knows_namespaces_is_told_and_nothing_else() -> None:
    class Far:
        def __init__(self, namespace: str = "") -> None:
            self.namespace = namespace

        def within(self, namespace: str) -> "Far":
            return Far(namespace)

    assert namespaces.within(Far(), "web").namespace == "web"
    near = object()
    assert namespaces.within(near, "web") is near
