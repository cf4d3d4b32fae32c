from dataclasses import FrozenInstanceError

import pytest

from moorage_sdk.verbs import Command, Verb


def test_a_verb_is_a_function_of_what_was_typed() -> None:
    def count(command: Command) -> int:
        return len(command.words)

    verb: Verb = count
    command = Command(("a", "b"), "mooraged", "/run/moorage/moorage.sock")
    assert verb(command) == 2
    with pytest.raises(FrozenInstanceError):
        command.program = "x"  # type: ignore[misc]
