"""Where every key of a TOML file stands.

tomllib tells values but not lines. This scanner reads text that tomllib accepted, so it may assume correct syntax and
only has to know where names and values begin and end.
"""

from __future__ import annotations

import tomllib
from typing import NamedTuple

from moorage_sdk.config import Key

_BLANK = " \t"
_SPACE = " \t\r\n"
_VALUE_END = frozenset(",]}#\r\n")


class Position(NamedTuple):
    """Both count from 1; columns count characters."""

    line: int
    column: int


def scan(text: str) -> dict[Key, Position]:
    """The position of each key, table header and array element of a document that tomllib accepted."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.found


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.found: dict[Key, Position] = {}
        self._counts: dict[Key, int] = {}
        self._line, self._line_start, self._counted = 1, 0, 0

    def position(self, at: int) -> Position:
        """Positions are asked for in ascending order, so lines are counted once."""
        newlines = self.text.count("\n", self._counted, at)
        if newlines:
            self._line += newlines
            self._line_start = self.text.rindex("\n", self._counted, at) + 1
        self._counted = at
        return Position(self._line, at - self._line_start + 1)

    def document(self) -> None:
        table: Key = ()
        while self.skip(_SPACE):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def skip(self, blank: str) -> bool:
        """Skip blanks, and comments where lines may end. False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] in blank:
                self.at += 1
            elif self.text[self.at] == "#" and "\n" in blank:
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                return True
        return False

    def header(self) -> Key:
        start, array = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        names = self.names()
        self.at = self.text.index("]", self.at) + (2 if array else 1)
        path = self.resolve(names[:-1]) + names[-1:] if array else self.resolve(names)
        if array:
            index = self._counts.get(path, 0)
            self._counts[path] = index + 1
            self.found.setdefault(path, self.position(start))
            path = (*path, index)
        self.found[path] = self.position(start)
        return path

    def resolve(self, names: tuple[str, ...]) -> Key:
        """A header's path: a name that is an array of tables means its last element."""
        path: Key = ()
        for name in names:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def names(self) -> tuple[str, ...]:
        """A dotted key; ``at`` is then behind it and the blanks that follow."""
        names: list[str] = []
        while True:
            self.skip(_BLANK)
            names.append(self.name())
            self.skip(_BLANK)
            if self.text[self.at] != ".":
                return tuple(names)
            self.at += 1

    def name(self) -> str:
        start = self.at
        if self.text[start] in "\"'":
            self.string()
            raw = self.text[start : self.at]
            return next(iter(tomllib.loads(f"{raw}=0")))  # tomllib knows all escapes
        while self.text[self.at] not in " \t.=]":
            self.at += 1
        return self.text[start : self.at]

    def pair(self, table: Key) -> None:
        start = self.at
        position = self.position(start)
        path: Key = table
        for name in self.names():
            path = (*path, name)
            self.found.setdefault(path, position)
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.value(path)

    def value(self, path: Key) -> None:
        match self.text[self.at]:
            case '"' | "'":
                self.string()
            case "[":
                self.array(path)
            case "{":
                self.inline(path)
            case _:
                while self.at < len(self.text) and self.text[self.at] not in _VALUE_END:
                    self.at += 1

    def string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            self.at += 3
            while not self.text.startswith(quote * 3, self.at):
                self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
            while self.text.startswith(quote, self.at):  # up to two quotes may precede the closing three
                self.at += 1
            return
        self.at += 1
        while self.text[self.at] != quote:
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += 1

    def array(self, path: Key) -> None:
        self.at += 1
        index = 0
        while self.skip(_SPACE) and self.text[self.at] != "]":
            self.found[(*path, index)] = self.position(self.at)
            self.value((*path, index))
            index += 1
            self.separator()
        self.at += 1

    def inline(self, path: Key) -> None:
        self.at += 1
        while self.skip(_SPACE) and self.text[self.at] != "}":
            self.pair(path)
            self.separator()
        self.at += 1

    def separator(self) -> None:
        self.skip(_SPACE)
        if self.text[self.at] == ",":
            self.at += 1
