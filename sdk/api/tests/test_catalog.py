"""The catalog agrees with what is on disk."""

from importlib import resources

from moorage_api import catalog, definitions

PACKAGE = resources.files("moorage_api")


def test_every_module_is_there_with_its_stub() -> None:
    names = {entry.name for entry in (PACKAGE / "messages").iterdir()}
    assert {f"{name}.py" for name in catalog.MODULES} == {
        name for name in names if name.endswith(".py") and name != "__init__.py"
    }
    assert {f"{name}.pyi" for name in catalog.MODULES} == {name for name in names if name.endswith(".pyi")}


def test_every_api_has_its_descriptor_set_and_no_other_lies_there() -> None:
    assert {entry.name for entry in (PACKAGE / "descriptors").iterdir()} == {f"{api}.binpb" for api in catalog.APIS}


def test_no_top_level_name_occurs_twice_in_a_module() -> None:
    for module, files in catalog.MODULES.items():
        described = [definitions.files()[file] for file in files]
        names = [each.name for file in described for each in (*file.message_type,)]
        names += [value.name for file in described for enum in file.enum_type for value in enum.value]
        assert len(names) == len(set(names)), module
