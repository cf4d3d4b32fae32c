"""Namespaces on the wire."""

from moorage_api.messages import namespaces


def test_a_namespace_on_the_wire() -> None:
    request = namespaces.CreateNamespaceRequest(namespace=namespaces.Namespace(name="n", labels={"a": "b"}))
    assert request.SerializeToString() == b"\x0a\x0b\x0a\x01n\x12\x06\x0a\x01a\x12\x01b"
