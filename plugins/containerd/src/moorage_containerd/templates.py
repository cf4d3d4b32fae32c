"""As much of Go's ``text/template`` as arguments of hooks need: calls of functions, strings and pipes in ``{{ }}``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from moorage_sdk import errors

_TOKEN = re.compile(r"\s*(?:(\"(?:\\.|[^\"\\])*\")|`([^`]*)`|([A-Za-z_]\w*)|(\|))")


def render(source: str, functions: Mapping[str, Callable[..., str]]) -> str:
    """Fill in the actions. Raises errors.InvalidArgument for a template that Go refuses or that is beyond us."""
    shown: list[str] = []
    at, trim = 0, False
    while (begin := source.find("{{", at)) >= 0:
        end = _end(source, begin + 2)
        before, action, after = _trims(source[begin + 2 : end])
        shown.append(_text(source[at:begin], trim, before))
        if not (action.startswith("/*") and action.endswith("*/")):
            shown.append(_run(action, functions, source))
        at, trim = end + 2, after
    return "".join(shown) + _text(source[at:], trim, False)


def _end(source: str, at: int) -> int:
    """Where the action that begins at ``at`` is closed: braces in strings and comments close nothing."""
    quote = ""
    if source[at:].lstrip("- \t\r\n").startswith("/*"):
        closed = source.find("*/", at)
        at = len(source) if closed < 0 else closed
    while at < len(source):
        character = source[at]
        if quote == '"' and character == "\\":
            at += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in '"`':
            quote = character
        elif source.startswith("}}", at):
            return at
        at += 1
    raise errors.InvalidArgument(f"template {json.dumps(source)}: unclosed action: invalid argument")


def _trims(body: str) -> tuple[bool, str, bool]:
    """An action without its marks for trimming (``{{- `` and `` -}}``), and whether it has them."""
    before = body[:1] == "-" and body[1:2].isspace()
    after = len(body) > 2 and body[-1] == "-" and body[-2].isspace()
    return before, body[1 if before else 0 : -1 if after else None].strip(), after


def _text(text: str, left: bool, right: bool) -> str:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _run(action: str, functions: Mapping[str, Callable[..., str]], source: str) -> str:
    """A pipe of calls; what one returns is the last argument of the next."""
    piped: list[str] = []
    for words in _stages(action, source):
        first, *rest = words
        if not isinstance(first, Name):
            if rest or piped:
                raise errors.InvalidArgument(f"template {json.dumps(source)}: no function: invalid argument")
            piped = [first]
            continue
        if first not in functions:
            message = f'template {json.dumps(source)}: function "{first}" not defined: invalid argument'
            raise errors.InvalidArgument(message, hint=f"there are {', '.join(functions)}")
        arguments = [str(functions[word]()) if isinstance(word, Name) and word in functions else word for word in rest]
        try:
            piped = [functions[first](*arguments, *piped)]
        except TypeError as error:
            message = f"template {json.dumps(source)}: wrong number of args for {first}: invalid argument"
            raise errors.InvalidArgument(message) from error
    return piped[0]


class Name(str):
    """A word that is no quoted string."""


def _stages(action: str, source: str) -> Iterator[list[str]]:
    words: list[str] = []
    at = 0
    while at < len(action.rstrip()):
        token = _TOKEN.match(action, at)
        if not token:
            raise errors.InvalidArgument(f"template {json.dumps(source)}: unexpected {action[at:]}: invalid argument")
        at = token.end()
        if token[4]:
            yield _complete(words, source)
            words = []
        else:
            words.append(_word(token, source))
    yield _complete(words, source)


def _word(token: re.Match[str], source: str) -> str:
    if token[3]:
        return Name(token[3])
    if token[2] is not None:
        return token[2]
    try:
        return str(json.loads(token[1]))
    except ValueError as error:  # Go knows more escapes than JSON
        raise errors.InvalidArgument(f"template {json.dumps(source)}: string {token[1]}: invalid argument") from error


def _complete(words: list[str], source: str) -> list[str]:
    if not words:
        raise errors.InvalidArgument(f"template {json.dumps(source)}: missing value for command: invalid argument")
    return words
