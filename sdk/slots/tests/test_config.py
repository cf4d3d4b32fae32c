from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from moorage_sdk import config
from moorage_sdk.config import Fault, Unknown
from moorage_sdk.durations import Duration

TENTH = Duration(0.1)
URI = "io.containerd.snapshotter.v1.overlayfs"


@dataclass(frozen=True)
class Runtime:
    type: str = "runc"
    options: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 1


@dataclass(frozen=True)
class Config:
    root_path: str = ""
    sync_remove: bool = False
    threshold: float = 0.02
    count: int = 100
    delay: Duration = TENTH
    policy: Literal["shared", "isolated"] = "shared"
    place: Path = Path("/opt")
    mount_options: tuple[str, ...] = ("ro",)
    names: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    best: Runtime = field(default_factory=lambda: Runtime(depth=7))
    runtimes: Mapping[str, Runtime] = field(default_factory=lambda: {"runc": Runtime()})
    chain: tuple[Runtime, ...] = ()
    limit: int | None = None
    source: str = field(default="", metadata={"key": "from"})


@dataclass(frozen=True)
class Strict:
    pool: str
    low: int = 0
    high: int = 1

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low: must not exceed high")


def faults(cls: type[Any], table: object, path: config.Key = ()) -> list[str]:
    decoded = config.decode(cls, table, path)
    assert (decoded.value is None) == bool(decoded.faults)
    return [str(fault) for fault in decoded.faults]


def value(table: dict[str, Any]) -> Config:
    decoded = config.decode(Config, table)
    assert decoded.faults == ()
    assert decoded.value is not None
    return decoded.value


def test_an_empty_table_is_the_defaults() -> None:
    assert value({}) == Config()


def test_decodes_every_type() -> None:
    decoded = value(
        {
            "root_path": "/x",
            "sync_remove": True,
            "threshold": 1,
            "count": 5,
            "delay": "1m",
            "policy": "isolated",
            "place": "/y",
            "mount_options": ["a", "b"],
            "names": ["c"],
            "env": {"K": "V"},
            "chain": [{"type": "kata"}],
            "limit": 3,
            "from": "here",
        }
    )
    assert decoded.threshold == 1.0 and isinstance(decoded.threshold, float)
    assert decoded.delay == 60 and isinstance(decoded.delay, Duration)
    assert (decoded.place, decoded.mount_options, decoded.names) == (Path("/y"), ("a", "b"), ["c"])
    assert (decoded.env, decoded.chain) == ({"K": "V"}, (Runtime("kata"),))
    assert (decoded.limit, decoded.source, decoded.policy) == (3, "here", "isolated")


def test_a_table_is_laid_over_the_default_at_every_depth() -> None:
    decoded = value({"best": {"type": "kata"}, "runtimes": {"kata": {"depth": 2}}})
    assert decoded.best == Runtime("kata", {}, 7)
    assert decoded.runtimes == {"runc": Runtime(), "kata": Runtime(depth=2)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"root_path": 1}, "root_path: expected string, got integer"),
        ({"sync_remove": 1}, "sync_remove: expected boolean, got integer"),
        ({"sync_remove": "true"}, "sync_remove: expected boolean, got string"),
        ({"count": True}, "count: expected integer, got boolean"),
        ({"count": 1.0}, "count: expected integer, got float"),
        ({"count": 2**63}, "count: integer does not fit in 64 bits"),
        ({"threshold": "1"}, "threshold: expected float, got string"),
        ({"threshold": True}, "threshold: expected float, got boolean"),
        ({"threshold": 10**400}, "threshold: number does not fit in 64 bits"),
        ({"delay": 100}, "delay: expected duration (a string), got integer"),
        ({"delay": "soon"}, 'delay: duration "soon": must be numbers with units, such as "100ms" or "1h30m"'),
        ({"policy": "both"}, 'policy: expected one of "shared", "isolated", got "both"'),
        ({"policy": []}, 'policy: expected one of "shared", "isolated", got array'),
        ({"place": {}}, "place: expected string, got table"),
        ({"mount_options": "ro"}, "mount_options: expected array, got string"),
        ({"mount_options": ["ro", 1]}, "mount_options[1]: expected string, got integer"),
        ({"env": {"a b": 1}}, 'env."a b": expected string, got integer'),
        ({"runtimes": {"runc": 1}}, "runtimes.runc: expected table, got integer"),
        ({"chain": [{}, {"depth": ""}]}, "chain[1].depth: expected integer, got string"),
    ],
)
def test_coerces_nothing(table: dict[str, Any], message: str) -> None:
    assert faults(Config, table) == [message]


def test_reports_every_fault_with_its_path() -> None:
    table = {"root_path": 1, "count": "1", "best": {"depth": False}}
    assert faults(Config, table, ("plugins", URI)) == [
        f'plugins."{URI}".root_path: expected string, got integer',
        f'plugins."{URI}".count: expected integer, got string',
        f'plugins."{URI}".best.depth: expected integer, got boolean',
    ]


def test_a_required_field_is_required() -> None:
    assert config.decode(Strict, {}).faults == (Fault(("pool",), "required"),)


def test_a_class_may_refuse_a_combination() -> None:
    assert faults(Strict, {"pool": "p", "low": 2}, ("plugins", "x")) == ["plugins.x: low: must not exceed high"]


def test_what_is_no_table_is_a_fault() -> None:
    assert faults(Config, [1], ("plugins", "x")) == ["plugins.x: expected table, got array"]


def test_unknown_keys_are_no_faults_and_name_the_nearest() -> None:
    decoded = config.decode(Config, {"root_pth": "/x", "best": {"qqq": 1}}, ("plugins", "x"))
    assert decoded.value == Config()
    assert decoded.unknown == (
        Unknown(("plugins", "x", "root_pth"), "root_path"),
        Unknown(("plugins", "x", "best", "qqq")),
    )
    assert str(decoded.unknown[0]) == 'plugins.x.root_pth: unknown key, did you mean "root_path"?'


def test_case_is_forgiven_but_the_exact_key_wins() -> None:
    assert value({"ROOT_PATH": "/x"}).root_path == "/x"
    decoded = config.decode(Config, {"Count": 1, "count": 2})
    assert decoded.value is not None and decoded.value.count == 2
    assert [unknown.path for unknown in decoded.unknown] == [("Count",)]


def test_encoding_a_value_gives_the_table_that_decodes_to_it() -> None:
    before = value({"delay": "1m", "place": "/y", "chain": [{"type": "kata"}], "from": "here"})
    table = config.encode(before)
    assert table["delay"] == "1m0s" and table["place"] == "/y" and table["from"] == "here"
    assert "limit" not in table
    assert value(table) == before


def test_defaults_are_toml_values() -> None:
    assert config.defaults(Config)["delay"] == "100ms"
    assert config.defaults(Config)["best"] == {"type": "runc", "options": {}, "depth": 7}
    assert config.defaults(Strict) == {"low": 0, "high": 1}


@pytest.mark.parametrize("kind", [int | str, tuple[str, int], complex])
def test_a_class_with_a_type_of_no_use_is_the_programmers_error(kind: Any) -> None:
    cls = dataclass(frozen=True)(type("Odd", (), {"__annotations__": {"odd": kind}}))
    with pytest.raises(TypeError):
        config.decode(cls, {"odd": []})


def test_paths_are_written_as_in_toml() -> None:
    assert config.dotted(("plugins", URI, "list", 3, "k")) == f'plugins."{URI}".list[3].k'
    assert config.quoted('a"b') == '"a\\"b"'
    assert config.quoted("") == '""'


def test_what_a_provider_refuses_names_all_faults() -> None:
    refused = config.Refused([Fault(("a", "b"), "wrong"), Fault(("c",), "required")])
    assert [fault.path for fault in refused.faults] == [("a", "b"), ("c",)]
    assert str(refused) == "a.b: wrong; c: required"
