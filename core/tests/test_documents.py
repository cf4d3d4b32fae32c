from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from moorage_core import documents
from moorage_core.documents import Document, Fault, Origin
from moorage_core.positions import Position

Write = Callable[..., str]
Nobody = Callable[[], AbstractContextManager[None]]


def faults(path: str) -> list[str]:
    return [str(fault) for fault in documents.load(path)[1]]


def test_a_document_knows_where_its_values_stand(write: Write) -> None:
    path = write(config='version = 3\n\n[plugins."io.x"]\n  key = 1\n')
    (document,), found = documents.load(path)
    assert found == []
    assert document.version == 3
    assert document.table == {"plugins": {"io.x": {"key": 1}}}
    assert str(document.origin(("plugins", "io.x", "key"))) == f"{path}:4:3"
    assert str(document.origin(("plugins", "io.x", "other"))) == f"{path}:3:1"
    assert str(document.origin(("nothing",))) == path


def test_imports_are_followed_breadth_first_and_relative(tmp_path: Path, write: Write) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "2.toml").write_text("")
    (tmp_path / "d" / "1.toml").write_text('imports = ["../deep.toml"]')
    path = write(deep="", other="", config='imports = ["d/*.toml", "other.toml", "none/*.toml"]')
    read, found = documents.load(path)
    assert found == []
    assert [Path(each.path).name for each in read] == ["config.toml", "1.toml", "2.toml", "other.toml", "deep.toml"]


def test_files_may_import_each_other(write: Write) -> None:
    path = write(a='imports = ["b.toml"]', b='imports = ["a.toml", "b.toml"]')
    assert len(documents.load(path)[0]) == 2


def test_the_first_syntax_fault_of_each_file_is_reported(tmp_path: Path, write: Write) -> None:
    (tmp_path / "latin.toml").write_bytes(b"a = 1\nb = '\xe9'")
    path = write(one="a = 1\nb == 2\nc ==\n", two="[x", config='imports = ["one.toml", "two.toml", "latin.toml"]')
    one, two, latin = faults(path)
    assert one.startswith(f"{tmp_path}/one.toml:2:4: ")
    assert two.startswith(f"{tmp_path}/two.toml:1:3: ")
    assert latin == f"{tmp_path}/latin.toml:2:6: not UTF-8 text"


def test_what_cannot_be_read_names_the_file_and_who_wants_it(tmp_path: Path, write: Write) -> None:
    assert faults(str(tmp_path / "none.toml")) == [f'configuration "{tmp_path}/none.toml": No such file or directory']
    path = write(config='version = 2\nimports = ["gone.toml"]')
    assert faults(path) == [f'{path}:2:12: import "{tmp_path}/gone.toml": no such file']
    assert faults(str(tmp_path)) == [f'configuration "{tmp_path}": Is a directory']


def test_nesting_without_end_is_a_fault(write: Write) -> None:
    (fault,) = faults(write(config="a = " + "[" * 100_000))
    assert "nested too deeply" in fault or "nest" in fault.lower()


@pytest.mark.parametrize(("text", "version"), [("", 1), ("version = 0", 1), ("version = 1", 1), ("version = 4", 4)])
def test_no_version_is_the_first(write: Write, text: str, version: int) -> None:
    (document,), found = documents.load(write(config=text))
    assert (document.version, found) == (version, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 5", "version: 5 is unknown, this daemon reads up to 4"),
        ("version = -1", "version: -1 is unknown, this daemon reads up to 4"),
        ('version = "2"', "version: expected integer, got string"),
        ("version = true", "version: expected integer, got boolean"),
    ],
)
def test_other_versions_are_faults(write: Write, text: str, message: str) -> None:
    path = write(config="\n" + text)
    assert faults(path) == [f"{path}:2:1: {message}"]


def test_migrations_run_step_by_step_from_the_files_version(write: Write) -> None:
    steps: list[tuple[str, int]] = []

    def step(name: str) -> Callable[[dict[str, Any], int], None]:
        return lambda table, version: steps.append((name, version))

    (document,), _ = documents.load(write(config="version = 2"))
    assert documents.migrate(document, [("a", step("a")), ("b", step("b"))]) == []
    assert steps == [("a", 2), ("b", 2), ("a", 3), ("b", 3), ("a", 4), ("b", 4)]
    (document,), _ = documents.load(write(config="version = 4"))
    documents.migrate(document, [("a", step("newest"))])
    assert steps[6:] == [("newest", 4)]


def test_a_drop_in_may_be_older_than_what_imports_it_but_not_newer(write: Write) -> None:
    write(old="version = 1", new="version = 4", none="oom_score = 1")
    path = write(config='version = 2\nimports = ["old.toml", "none.toml", "new.toml"]')
    read, faults = documents.load(path)
    assert [document.version for document in read] == [2, 1, 1, 4]
    new = str(Path(path).parent / "new.toml")
    assert list(map(str, faults)) == [f"{new}:1:1: version: drop-in of version 4 higher than 2"]
    assert documents.load(write(config='imports = ["new.toml"]'))[1] == []  # nobody said another one before


def test_a_drop_in_that_imports_its_importer_is_read_once(tmp_path: Path, write: Write) -> None:
    """By a relative way that grows with each turn, and so looks new each time."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.toml").write_text('imports = ["../config.toml", "../conf.d/./a.toml"]')
    read, faults = documents.load(write(config='imports = ["conf.d/*.toml"]'))
    assert [document.path for document in read] == [str(tmp_path / "config.toml"), str(tmp_path / "conf.d/a.toml")]
    assert faults == []


def test_patterns_are_gos(tmp_path: Path, write: Write) -> None:
    for name in ("a[1].toml", "a1.toml", ".hidden.toml", "b.toml"):
        (tmp_path / name).write_text("")
    read, faults = documents.load(write(config='imports = ["a[1].toml"]'))
    assert [Path(document.path).name for document in read] == ["config.toml", "a[1].toml"]
    read, _ = documents.load(write(config='imports = ["*.toml"]'))
    assert [Path(document.path).name for document in read][1:] == [".hidden.toml", "a1.toml", "a[1].toml", "b.toml"]
    assert faults == []


def test_what_is_imported_is_named_by_its_whole_path(write: Write, tmp_path: Path) -> None:
    write(more="")
    (document, _), _ = documents.load(write(config='imports = ["more.toml", "./no*.toml"]'))
    assert document.table["imports"] == [str(tmp_path / "more.toml"), str(tmp_path / "no*.toml")]


def test_a_name_that_no_file_can_have_is_a_fault(write: Write) -> None:
    path = write(config='imports = ["a\\u0000b"]')
    assert list(map(str, documents.load(path)[1])) == [rf'{path}:1:12: import "a\u0000b": no path of a file']


def test_what_a_migration_moves_keeps_its_place(write: Write) -> None:
    def move(table: dict[str, Any], version: int) -> None:
        if old := table.pop("old", None):
            table["plugins"] = {"io.x": {"address": old["address"], "list": old["list"], "new": "added"}}

    path = write(config='version = 3\n[old]\naddress = "/run/x"\nlist = ["a"]\n')
    (document,), _ = documents.load(path)
    documents.migrate(document, [("x", move)])
    assert str(document.origin(("plugins", "io.x", "address"))) == f"{path}:3:1"
    assert str(document.origin(("plugins", "io.x", "list"))) == f"{path}:4:1"
    assert str(document.origin(("plugins", "io.x", "new"))) == f"{path}:3:1", "that of the table that was made"


def test_a_migration_that_fails_is_a_fault_of_its_file() -> None:
    def fail(table: dict[str, Any], version: int) -> None:
        raise KeyError("x")

    found = documents.migrate(Document("/c.toml", {}, 4), [("moorage-x", fail)])
    assert found == [Fault(Origin("/c.toml"), "migration by moorage-x: KeyError: 'x'")]


def test_a_document_of_unknown_version_is_not_migrated() -> None:
    def fail(table: dict[str, Any], version: int) -> None:
        raise AssertionError

    assert documents.migrate(Document("/c.toml", {}, 0), [("x", fail)]) == []


def test_places_read_like_a_compilers() -> None:
    assert str(Fault(Origin("/c.toml", Position(3, 7)), "x: y")) == "/c.toml:3:7: x: y"
    assert str(Fault(Origin("flag --root"), "x")) == "flag --root: x"
    assert str(Fault(None, "x")) == "x"


def test_imports_that_may_not_be_read_are_faults(public: Path, nobody: Nobody) -> None:
    """Those in a closed directory were a traceback, and by a pattern silently none."""
    closed = public / "closed"
    closed.mkdir(mode=0o700)
    (closed / "x.toml").touch()
    (public / "secret.toml").touch(mode=0o600)
    main = public / "main.toml"
    main.write_text('imports = ["secret.toml", "closed/x.toml", "closed/*.toml"]')
    main.chmod(0o644)
    refusal = "Permission denied (uid 65534 must be able to read it)"
    with nobody():
        found = faults(str(main))
    assert found == [
        f'{main}:1:44: import "{closed}/*.toml": directory "{closed}": {refusal}',
        f'{main}:1:12: configuration "{public}/secret.toml": {refusal}',
        f'{main}:1:27: configuration "{closed}/x.toml": {refusal}',
    ]
    assert faults(str(main)) == []


def test_what_may_not_be_looked_for_counts_as_there(public: Path, nobody: Nobody) -> None:
    (public / "closed").mkdir(mode=0o700)
    with nobody():
        assert documents.there(str(public / "closed" / "x"))
    assert not documents.there(str(public / "closed" / "x"))
