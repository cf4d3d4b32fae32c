"""Which annotations of a request may reach a runtime: those that its operator listed.

Annotations steer runtimes: ``org.systemd.property.*`` sets properties of units (CVE-2024-3154), ``io.katacontainers.*``
paths of programs. So each runtime handler has a list of patterns, and what none of them matches goes no further.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping


def allowed(annotations: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """Those whose key matches one of ``patterns``, as containerd's CRI has them for pods and for containers.

    Patterns are Go's (``path.Match``): ``*`` and ``?`` stop at a slash. A malformed one matches nothing.
    """
    rules = [rule for rule in map(_compiled, patterns) if rule]
    return {key: value for key, value in annotations.items() if any(rule.fullmatch(key) for rule in rules)}


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile("".join(_parts(pattern)), re.DOTALL)
    except re.error:
        return None


def _parts(pattern: str) -> Iterator[str]:
    """As regular expressions. One without an end is passed on as it is, and does not compile."""
    for found in re.finditer(r"\\(?P<plain>.)|(?P<set>\[[^]]*\])|(?P<bad>[\\[])|(?P<one>.)", pattern, re.DOTALL):
        if found["bad"]:
            yield "("
        elif found["set"]:
            yield f"(?!/){_set(found['set'])}"
        else:
            yield {"*": "[^/]*", "?": "[^/]"}.get(found["one"] or "", re.escape(found["plain"] or found["one"] or ""))


def _set(text: str) -> str:
    negated, inside = ("^", text[2:-1]) if text.startswith("[^") else ("", text[1:-1])
    # Signs that mean something in sets of Python alone.
    inside = re.sub(r"([&~|^[])", r"\\\1", inside)
    return f"[{negated}{inside}]"
