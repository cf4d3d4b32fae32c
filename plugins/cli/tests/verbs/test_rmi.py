from typing import Any


def test_by_what_people_type(cli: Any, archive: Any) -> None:
    cli("load", "-i", str(archive), "--name", "extra:1")
    assert cli("rmi", "extra:1").out == "extra:1\n"
    result = cli("rmi", "extra:1")
    assert result.code == 1
    assert 'image "extra:1": not found' in result.err


def test_later(cli: Any, archive: Any) -> None:
    cli("load", "-i", str(archive), "--name", "extra:2")
    assert cli("rmi", "--async", "docker.io/library/extra:2").code == 0
