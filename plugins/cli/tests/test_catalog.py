import importlib
from pathlib import Path

import click
import pytest

import moorage_cli.verbs
from moorage_cli import catalog


@pytest.mark.parametrize("name", catalog.VERBS)
def test_every_verb_is_a_command_with_help(name: str) -> None:
    command = importlib.import_module(f"moorage_cli.verbs.{catalog.VERBS[name].module}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help


def test_no_module_is_forgotten() -> None:
    folder = Path(moorage_cli.verbs.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert modules == {verb.module for verb in catalog.VERBS.values()}
