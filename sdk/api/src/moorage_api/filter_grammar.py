"""The grammar of one filter string (``pkg/filters/parser.go`` and ``scanner.go`` in containerd v2.3)::

    selectors := selector ("," selector)*
    selector  := path [operator value]
    path      := field ("." field)*
    field     := quoted | [A-Za-z0-9_]+
    operator  := "==" | "!=" | "~="
    value     := quoted | one or more printable characters but space and comma

Quoted is a Go string in double quotes; after ``~=`` also between slashes or bars, so that an expression needs fewer
escapes, but the escapes in it are still those of a Go string. Space is skipped before a token, never behind one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from moorage_sdk import errors

OPERATORS = ("==", "!=", "~=")

_SPACE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
"""unicode.IsSpace of Go; Python's str.isspace also takes the separators U+001C to U+001F."""

_FIELD = re.compile("[A-Za-z0-9_]+")
_OPERATOR = re.compile("[=!~]+")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\])|([0-7]{3})|x([0-9A-Fa-f]{2})|(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})))")
_CONTROLS = dict(zip("abfnrtv\\", b"\a\b\f\n\r\t\v\\", strict=True))
_UNREADABLE = "\0\ufffd"
"""Refused wherever they stand; the second because Go's decoder reports bad UTF-8 by it."""


@dataclass(frozen=True)
class Selector:
    """One condition. An ``operator`` of ``""`` asks for presence only."""

    path: tuple[str, ...]
    operator: str = ""
    value: str = ""


def parse(text: str) -> tuple[Selector, ...]:
    """The selectors of one string, all of which must match; none for the empty string.

    Raises errors.InvalidArgument with the position, in characters from 0.
    """
    return _Parser(text).selectors() if text else ()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def selectors(self) -> tuple[Selector, ...]:
        found = [self._selector()]
        while self._next() == ",":
            self.at += 1
            found.append(self._selector())
        if self.at < len(self.text):
            raise self._error("unexpected input")
        return tuple(found)

    def _selector(self) -> Selector:
        path = [self._field()]
        while self._next() == ".":
            self.at += 1
            path.append(self._field())
        if self._next() in ("", ","):
            return Selector(tuple(path))
        operator = self._operator()
        return Selector(tuple(path), operator, self._value('"/|' if operator == "~=" else '"'))

    def _field(self) -> str:
        self._skip_space()
        if self._next() in ("/", "|"):
            raise self._error("invalid quote encountered")
        if self._next() == '"':
            return self._quoted()
        return self._run(_FIELD, "expected field or quoted")

    def _operator(self) -> str:
        self._skip_space()
        start = self.at
        found = self._run(_OPERATOR, 'expected an operator ("=="|"!="|"~=")')
        if found not in OPERATORS:
            raise self._error(f'unsupported operator "{found}"', start)
        return found

    def _value(self, quotes: str) -> str:
        self._skip_space()
        first = self._next()
        if first and first in '"/|':
            if first not in quotes:
                raise self._error("invalid quote encountered")
            return self._quoted()
        if not first or first in ".,=!~" + _UNREADABLE:
            raise self._error("expected value or quoted")
        start = self.at
        self.at += 1  # containerd takes the first character of a value unseen.
        while self.at < len(self.text) and _continues_value(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]

    def _quoted(self) -> str:
        """Escapes may spell single bytes, so the value is put together as bytes."""
        start, quote = self.at, self.text[self.at]
        value = bytearray()
        self.at += 1
        while (character := self._next()) != quote:
            if not character or character in "\n" + _UNREADABLE:
                raise self._error("quoted literal not terminated", start)
            if character == "\\":
                value += self._escape(quote)
            else:
                value += character.encode("utf-8", "surrogatepass")
                self.at += 1
        self.at += 1
        return value.decode("utf-8", "surrogateescape")

    def _escape(self, quote: str) -> bytes:
        if self.text.startswith("\\" + quote, self.at):
            self.at += 2
            return quote.encode()
        found = _ESCAPE.match(self.text, self.at)
        number = int(found[2], 8) if found and found[2] else 0
        point = int(found[4] or found[5] or "0", 16) if found else 0
        if not found or number > 0xFF or point > 0x10FFFF:
            raise self._error("illegal escape sequence")
        self.at = found.end()
        if found[1]:
            return bytes([_CONTROLS[found[1]]])
        if found[2] or found[3]:
            return bytes([number or int(found[3] or "0", 16)])
        return chr(point).encode("utf-8", "replace") if not 0xD800 <= point < 0xE000 else "\ufffd".encode()

    def _run(self, pattern: re.Pattern[str], expected: str) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            raise self._error(expected)
        self.at = found.end()
        return found[0]

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_space(self) -> None:
        while self._next() in _SPACE:
            self.at += 1

    def _error(self, verdict: str, at: int | None = None) -> errors.InvalidArgument:
        at = self.at if at is None else at
        around = self.text[max(0, at - 40) : at + 40]
        return errors.InvalidArgument(f'filter "{around}": {verdict} at position {at}: invalid argument')


def _continues_value(character: str) -> bool:
    """Go's IsGraphic without space: letters, marks, numbers, punctuation and symbols."""
    return (
        character != ","
        and character not in _SPACE
        and unicodedata.category(character)[0] in "LMNPS"
        and (character not in _UNREADABLE)
    )
