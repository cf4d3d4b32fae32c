from typing import Any


def test_names_are_added_and_moved(cli: Any, archive: Any) -> None:
    cli("load", "-i", str(archive), "--name", "docker.io/library/other:1")
    result = cli("tag", "busybox", "a.io/b", "docker.io/library/other:1")
    assert result.code == 0, result.err
    assert result.out == "a.io/b:latest\ndocker.io/library/other:1\n"
    assert cli("inspect", "a.io/b:latest").code == 0
    assert cli("rmi", "a.io/b", "other:1").code == 0


def test_what_is_not_there(cli: Any) -> None:
    result = cli("tag", "absent", "a.io/b")
    assert result.code == 1
    assert 'image "absent": not found' in result.err
    assert cli("inspect", "a.io/b:latest").code == 1


def test_what_is_no_name(cli: Any) -> None:
    result = cli("tag", "busybox", "UPPER")
    assert result.code == 1
    assert "repository names are lower case" in result.err
