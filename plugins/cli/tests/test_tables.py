import time

import pytest

from moorage_cli import tables


def test_columns(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(("A", "LONG"), [("wide cell", "x"), ("y", "")])
    assert capsys.readouterr().out == "A           LONG\nwide cell   x\ny\n"


def test_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show(("A", "B"), [])
    assert capsys.readouterr().out == "A   B\n"


def test_names_do_not_drive_the_terminal() -> None:
    assert tables.clean("a\x1b[2Jb\nc\x9b") == "a�[2Jb�c�"


def test_sizes() -> None:
    assert [tables.size(each) for each in (0, 1023, 1024, 5 << 30, 3 << 40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "5.0 GiB",
        "3.0 TiB",
    ]


def test_times() -> None:
    assert [tables.duration(each) for each in (-1, 1, 59, 60, 7200, 86400 * 3)] == [
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "2 hours",
        "3 days",
    ]
    assert tables.ago(0) == ""
    assert tables.ago(time.time_ns() - 3_700_000_000_000) == "1 hour ago"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_json([{"a": "ä"}, {}])
    assert capsys.readouterr().out == '{"a": "ä"}\n{}\n'
