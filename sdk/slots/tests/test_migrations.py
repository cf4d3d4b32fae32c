import types
from typing import Any

from moorage_sdk import migrations


def module(**names: Any) -> types.ModuleType:
    made = types.ModuleType("module")
    made.__dict__.update(names)
    return made


def test_a_module_takes_part_in_what_it_has_and_in_nothing_else() -> None:
    def migrate(document: dict[str, Any], version: int) -> None:
        document.clear()

    whole = module(TABLES=("grpc",), FLAGS={"address": ("plugins", "x", "address")}, migrate=migrate)
    assert isinstance(whole, migrations.Tables)
    assert isinstance(whole, migrations.Flags)
    assert isinstance(whole, migrations.Migration)
    only = module(TABLES=())
    assert isinstance(only, migrations.Tables)
    assert not isinstance(only, migrations.Flags | migrations.Migration)
