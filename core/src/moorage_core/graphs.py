"""The order in which plugins are made: whatever fills a required slot comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """``order`` holds every node once. ``cycles`` has the nodes that wait for themselves, with the way round."""

    order: tuple[str, ...]
    cycles: Mapping[str, tuple[str, ...]]


def sort(requires: Mapping[str, Sequence[str]]) -> Order:
    """Sort nodes depth first, in the order given, so that what a node requires stands before it.

    ``requires`` maps each node to those that it waits for, which must be nodes, too.
    """
    order: list[str] = []
    state: dict[str, bool] = {}  # False: being visited, True: done

    def visit(node: str) -> None:
        state[node] = False
        for other in requires[node]:
            if other not in state:
                visit(other)
        state[node] = True
        order.append(node)

    for node in requires:
        if node not in state:
            visit(node)
    reach = _reachable(requires)
    waiting = [node for node in requires if node in reach[node]]
    return Order(tuple(order), {node: _way(node, requires, reach) for node in waiting})


def _reachable(requires: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """All nodes that each waits for, over any number of steps; itself only when on a cycle."""
    found: dict[str, set[str]] = {}
    for start in requires:
        seen: set[str] = set()
        pending = list(requires[start])
        while pending:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending += requires[node]
        found[start] = seen
    return found


def _way(start: str, requires: Mapping[str, Sequence[str]], reach: Mapping[str, set[str]]) -> tuple[str, ...]:
    """The shortest way from a node on a cycle back to it."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for node in requires[way[-1]]:
            if node == start:
                return (*way, start)
            if node not in seen and start in reach[node]:
                seen.add(node)
                ways.append((*way, node))
    raise AssertionError(f"{start} is on no cycle")
