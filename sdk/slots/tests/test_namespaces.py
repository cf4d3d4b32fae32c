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
