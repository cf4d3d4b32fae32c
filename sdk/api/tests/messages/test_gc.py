"""The service of our own that explains collections."""

from moorage_api import methods
from moorage_api.messages import gc


def test_a_path_on_the_wire() -> None:
    path = gc.Path(steps=[gc.Step(object=gc.Object(kind="image", key="x"), because="r")])
    assert path.SerializeToString() == b"\x0a\x0f\x0a\x0a\x0a\x05image\x1a\x01x\x12\x01r"


def test_long_answers_are_streamed() -> None:
    found = methods.service("moorage.services.gc.v1.Gc").methods
    assert {name: method.server_streaming for name, method in found.items()} == {
        "Why": False,
        "Plan": True,
        "Run": True,
    }
