"""containerd's filters: which objects a list or a subscription selects (``pkg/filters`` in containerd v2.3).

Strings of a list are alternatives; selectors in one string, separated by commas, must all match::

    name==foo,labels."very complex label"~=/^v[0-9]+$/

Behaviour that is not obvious, kept because clients see it: an absent field is unequal to everything, and a regular
expression is run against ``""`` for it; an expression that does not compile is no error and never matches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from moorage_api import filter_grammar
from moorage_api.filter_grammar import Selector

logger = logging.getLogger(__name__)

Lookup = Callable[[Sequence[str]], tuple[str, bool]]
"""Maps a field path, such as ``("labels", "a.b/c")``, to the field's value as a string and whether it is present."""


@dataclass(frozen=True)
class Filter:
    """Alternatives of conjunctions. No alternative at all selects everything, as does an empty conjunction."""

    alternatives: tuple[tuple[Selector, ...], ...] = ()

    def match(self, lookup: Lookup) -> bool:
        """Whether the object behind ``lookup`` is selected."""
        if not self.alternatives:
            return True
        return any(all(matches(selector, lookup) for selector in each) for each in self.alternatives)


def parse(strings: Sequence[str]) -> Filter:
    """The filter that a request's list of strings describes. Raises errors.InvalidArgument with the position."""
    return Filter(tuple(map(filter_grammar.parse, strings)))


def matches(selector: Selector, lookup: Lookup) -> bool:
    """Whether one condition holds."""
    value, present = lookup(selector.path)
    match selector.operator:
        case "":
            return present
        case "==":
            return present and value == selector.value
        case "!=":
            return value != selector.value
    expression = _compiled(selector.value)
    return expression is not None and expression.search(value) is not None


def in_map(values: Mapping[str, str], rest: Sequence[str]) -> tuple[str, bool]:
    """Look up what follows ``labels`` in a path: the parts are joined by dots: ``labels.a.b`` is ``labels."a.b"``."""
    key = ".".join(rest)
    return values.get(key, ""), key in values


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any | None:
    """RE2 and not ``re``: its syntax is Go's, and its time is linear whatever the peer sends."""
    import re2  # only few filters have an expression, and small processes should not pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError):
        logger.warning("filter: cannot compile regular expression %r, it matches nothing", pattern[:200])
        return None
