from typing import Any


def test_from_a_file_and_from_a_pipe(cli: Any, command: Any, archive: Any) -> None:
    assert cli("load", "-i", str(archive), "--name", "one").out == "loaded docker.io/library/one:latest\n"
    done = command("load", "--name", "two", "--no-unpack", input=archive.read_bytes())
    assert done.stdout == b"loaded docker.io/library/two:latest\n"
    assert cli("run", "--rm", "two", "echo", "works").out == "works\n"
    assert cli("rmi", "one", "two").code == 0


def test_what_is_no_archive(cli: Any, command: Any, tmp_path: Any) -> None:
    (tmp_path / "x").write_bytes(b"x" * 3000)
    for arguments in (["-i", str(tmp_path / "x")], ["-i", str(tmp_path / "none")]):
        result = cli("load", *arguments)
        assert result.code == 1
        assert result.err.startswith("moorage: ")
    assert command("load").returncode == 1


def test_an_archive_without_a_name(cli: Any, archive: Any) -> None:
    result = cli("load", "-i", str(archive))
    assert result.code == 1
    assert "hint: give a name with --name" in result.err
