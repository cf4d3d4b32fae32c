"""Container records on the wire."""

from moorage_api.messages import containers


def test_a_record_on_the_wire() -> None:
    record = containers.Container(id="web", image="i", runtime=containers.Container.Runtime(name="r"))
    assert record.SerializeToString() == b"\x0a\x03web\x1a\x01i\x22\x03\x0a\x01r"


def test_extensions_hold_any() -> None:
    record = containers.Container()
    record.extensions["x"].type_url = "t"
    assert record.SerializeToString() == b"\x52\x08\x0a\x01x\x12\x03\x0a\x01t"
