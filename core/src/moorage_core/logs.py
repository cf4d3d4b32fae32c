"""Log lines as containerd writes them (logrus): ``time="…" level=info msg="loading plugin" id=…``, or JSON.

Whatever ``extra=`` carries becomes a field. A line is a line: control characters are escaped, so that no name in a
message can forge another one.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, TextIO

LEVELS = {
    "trace": 5,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
"""The levels of ``--log-level`` and ``[debug] level``."""

_NAMES = {5: "trace", logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning"} | {
    logging.ERROR: "error",
    logging.CRITICAL: "fatal",
}
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_PLAIN = re.compile(r"[A-Za-z0-9._/@^+:-]+")
"""What logrus leaves without quotes, and the colon."""


def configure(level: str = "", format: str = "", stream: TextIO | None = None) -> None:
    """Send everything to ``stream`` (standard error). Empty and unknown strings mean info and text."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if format == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS.get(level, logging.INFO))
    logging.raiseExceptions = False  # a closed standard error must not turn into a loop of complaints
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The line as a mapping: time, level and message, then what ``extra`` gave, then what an exception says."""
    seconds, nanoseconds = divmod(int(record.created * 1e9), 10**9)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    line: dict[str, Any] = {
        "time": f"{stamp}.{nanoseconds:09d}Z",
        "level": _NAMES.get(record.levelno, record.levelname.lower()),
        "msg": record.getMessage(),
    }
    line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        line.setdefault("error", f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}")
        line["stack"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return line


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_shown(value)}" for key, value in fields(record).items())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields(record), default=str)


def _shown(value: object) -> str:
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    escaped = json.dumps(text, ensure_ascii=not text.isprintable())
    return escaped.replace("\x7f", "\\u007f")
