import json
from typing import Any


def test_there_and_gone(cli: Any) -> None:
    assert cli("namespaces", "create", "-l", "a=b", "other").out == "other\n"
    assert "other" in cli("namespaces", "ls", "-q").out.split()
    found = [json.loads(line) for line in cli("namespaces", "ls", "--format", "json").out.splitlines()]
    assert {"name": "other", "labels": {"a": "b"}} in found
    assert "a=b" in cli("namespaces", "ls").out
    for words in ([], ["-q"], ["--format", "json"]):
        assert cli("namespaces", *words).out == cli("namespaces", "ls", *words).out
    assert cli("namespaces", "create", "other").code == 1
    assert cli("namespaces", "rm", "other").out == "other\n"
    assert cli("namespaces", "rm", "other").code == 1


def test_malformed(cli: Any) -> None:
    assert cli("namespaces", "create", "no/name").code == 1
    assert cli("namespaces", "create", "-l", "=x", "n").code == 1


def test_what_is_not_empty_stays(cli: Any, namespace: str) -> None:
    result = cli("namespaces", "rm", namespace)
    assert result.code == 1
    assert "must be empty" in result.err


def test_another_namespace_has_other_containers(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    assert cli("-n", "elsewhere", "ps", "-aq").out == ""
