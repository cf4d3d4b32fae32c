import io
import json
import logging
from collections.abc import Iterator

import pytest

from moorage_core import logs


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, noisy = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], logging.raiseExceptions = handlers, noisy
    root.setLevel(level)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = True


def logged(level: str = "", format: str = "") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(level, format, stream)
    return stream


def test_a_line_is_logrus_text() -> None:
    stream = logged()
    logging.getLogger("x").info("loading plugin", extra={"id": "io.x.v1", "error": 'a "b"'})
    line = stream.getvalue()
    assert line.startswith("time=20")
    assert line.endswith(' level=info msg="loading plugin" id=io.x.v1 error="a \\"b\\""\n')


def test_or_json_with_the_same_fields() -> None:
    stream = logged("debug", "json")
    logging.getLogger("x").debug("a %s", "b", extra={"id": 1})
    line = json.loads(stream.getvalue())
    assert (line["level"], line["msg"], line["id"]) == ("debug", "a b", 1)
    assert line["time"].endswith("Z")


@pytest.mark.parametrize("format", ["text", "json"])
def test_no_message_can_forge_a_line(format: str) -> None:
    stream = logged("", format)
    logging.getLogger("x").info("a\nlevel=fatal\r\x1b[31m\x7f\u2028é", extra={"name_": "b\nc"})
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    assert text[:-1].isprintable()


def test_an_exception_becomes_fields_of_one_line() -> None:
    stream = logged()
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("x").exception("failed")
    text = stream.getvalue()
    assert 'error="ValueError: bad"' in text and "Traceback" in text and text.count("\n") == 1


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("", ["info", "warning", "error"]),
        ("loud", ["info", "warning", "error"]),
        ("error", ["error"]),
        ("debug", ["debug", "info", "warning", "error"]),
    ],
)
def test_levels(level: str, shown: list[str]) -> None:
    stream = logged(level)
    log = logging.getLogger("x")
    log.debug("m")
    log.info("m")
    log.warning("m")
    log.error("m")
    assert [line.split()[1].removeprefix("level=") for line in stream.getvalue().splitlines()] == shown


def test_levels_are_those_of_logrus() -> None:
    assert set(logs.LEVELS) == {"trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"}


def test_a_closed_stream_is_no_reason_to_raise() -> None:
    stream = logged()
    stream.close()
    logging.getLogger("x").info("m")
