from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from moorage_sdk import schemas
from moorage_sdk.durations import Duration

TENTH = Duration(0.1)


@dataclass(frozen=True)
class Inner:
    name: str
    """What it is called."""


@dataclass(frozen=True)
class Config:
    """Not the description of a field."""

    plain: int = 3
    delay: Duration = TENTH
    """How long to wait,
    at most."""
    policy: Literal["a", "b"] = "a"
    inner: Inner = Inner("x")
    many: Mapping[str, tuple[Inner, ...]] = field(default_factory=dict)
    anything: Any = None
    maybe: float | None = None
    source: str = field(default="", metadata={"key": "from"})


def test_the_schema_describes_every_type() -> None:
    schema = schemas.schema(Config)
    properties = schema["properties"]
    inner = {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "What it is called."}},
        "additionalProperties": False,
        "required": ["name"],
    }
    assert properties["plain"] == {"type": "integer", "default": 3}
    assert properties["delay"]["default"] == "100ms"
    assert properties["delay"]["description"] == "How long to wait,\nat most."
    assert properties["policy"] == {"enum": ["a", "b"], "default": "a"}
    assert properties["inner"] == inner | {"default": {"name": "x"}}
    assert properties["many"]["additionalProperties"] == {"type": "array", "items": inner}
    assert properties["anything"] == {}
    assert properties["maybe"] == {"type": "number"}
    assert "from" in properties and "source" not in properties
    assert "required" not in schema


def test_docs_are_the_docstrings_under_fields() -> None:
    assert schemas.docs(Config) == {"delay": "How long to wait,\nat most."}


def test_without_source_there_are_no_docs() -> None:
    assert schemas.docs(dataclass(type("Made", (), {"__annotations__": {"x": int}}))) == {}


def test_a_type_of_no_use_is_refused() -> None:
    with pytest.raises(TypeError):
        schemas.schema(dataclass(type("Odd", (), {"__annotations__": {"odd": complex}})))
