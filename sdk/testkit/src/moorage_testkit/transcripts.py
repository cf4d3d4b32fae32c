"""What was said and answered, so that two daemons can be compared: all of it that a client can rely on, and no more.

    transcript = Transcript(places={str(root): "<root>"})
    transcript.answered("Get", response)
    transcript.refused("Get", errors.NotFound('image "x": not found'))
    differences(theirs.steps, ours.steps)

Times, process ids and names that a daemon makes up stand in it as ``time 1``, ``pid 1``, ``made 1``, numbered as they
appear: that two of them are the same counts, their value does not.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.convert import typeurls
from moorage_sdk import digests, errors

Leaf = bool | int | float | str
"""What stands at the end of a path into an answer."""

_NEVER = -62135596800
"""Go's zero time in seconds, which containerd 1 sends where others send none."""
_PIDS = frozenset({"pid", "pidns"})
_MADE = {
    "made": re.compile(r"(?<![\w-])\d{5,}-[\w-]{4}(?![\w-])"),
    "snapshot": re.compile(r"\bsnapshots/\d+\b"),
    "address": re.compile(r"\b0x[0-9a-f]{6,}\b"),
}
"""What a daemon makes up, by what stands for it.

Ids of leases are a nanosecond and random bytes (core/leases/lease.go); numbers of snapshots are given by the store, for
all namespaces together.
"""
UNCLASSED = errors.Error.__name__
_KEY = re.compile(r"(?<=\w)/\d+/(?=\w)")
"""The name of a snapshot or an ingest in its backend, which errors quote: ``<namespace>/<number>/<key>``."""
_CLASSES = (
    *("already exists", "conflict", "failed precondition", "invalid argument", "not found", "not implemented"),
    *("not modified", "out of range", "unavailable"),
)
"""The words at the end of messages (github.com/containerd/errdefs)."""
_MOMENT = re.compile(r"\b20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Step:
    """One answer, event or error: ``leaves`` are its values by path, such as ``image.labels.k`` or ``info[0].size``."""

    name: str
    leaves: Mapping[str, Leaf]
    said: str = ""
    """The whole message of an error, for the reader of a failed test."""


@dataclass
class Transcript:
    """Steps in order. ``places`` are directories by what stands for them."""

    places: Mapping[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    _made: dict[str, str] = field(default_factory=dict)

    def answered(self, name: str, *messages: Message) -> None:
        """Several messages are those of a stream."""
        leaves: dict[str, Leaf] = {"verdict": "OK"}
        for number, message in enumerate(messages):
            leaves |= dict(self._walk(f"[{number}]" if len(messages) > 1 else "", message))
        if len(messages) != 1:
            leaves["messages"] = len(messages)
        self.steps.append(Step(name, leaves))

    def refused(self, name: str, error: errors.Error) -> None:
        message = "".join(each if each.isprintable() else repr(each)[1:-1] for each in self._plain(str(error)))
        found = {"verdict": type(error).__name__, "ending": ending(message), "subject": subject(message)}
        self.steps.append(Step(name, {key: value for key, value in found.items() if value}, message))

    def noted(self, name: str, message: Message) -> None:
        """Anything else that a message says, such as an event."""
        self.steps.append(Step(name, dict(self._walk("", message))))

    def said(self, name: str, **leaves: Leaf) -> None:
        """What the caller made of an answer of which not everything counts."""
        self.steps.append(Step(name, leaves))

    def _walk(self, path: str, message: Message) -> Iterator[tuple[str, Leaf]]:
        if isinstance(message, Timestamp):
            if message.seconds != _NEVER:
                yield path, self._stand("time", message.SerializeToString().hex())
        elif message.DESCRIPTOR.full_name == "google.protobuf.Any":
            yield from self._packed(path, message)
        else:
            for field_, value in message.ListFields():
                yield from self._field(f"{path}.{field_.name}".lstrip("."), field_, value)

    def _packed(self, path: str, packed: Any) -> Iterator[tuple[str, Leaf]]:
        if not packed.type_url and not packed.value:
            return
        yield f"{path}.type_url", packed.type_url
        try:
            yield from self._walk(path, typeurls.unpack(packed))
        except errors.Error:
            yield f"{path}.value", _shown(packed.value)

    def _field(self, path: str, described: Any, value: Any) -> Iterator[tuple[str, Leaf]]:
        if isinstance(value, Mapping):
            for key in sorted(value):
                yield from self._value(f"{path}.{self._plain(str(key))}", described, value[key])
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            for number, each in enumerate(value):
                yield from self._value(f"{path}[{number}]", described, each)
        else:
            yield from self._value(path, described, value)

    def _value(self, path: str, described: Any, value: Any) -> Iterator[tuple[str, Leaf]]:
        if isinstance(value, Message):
            at = len(path)
            for inner, leaf in self._walk("", value):
                yield path[:at] + ("." if inner and not inner.startswith((".", "[")) else "") + inner, leaf
        elif described.name in _PIDS:
            yield path, self._stand("pid", str(value))
        elif isinstance(value, bytes):
            yield path, _shown(value)
        else:
            yield path, self._plain(value) if isinstance(value, str) else value

    def _stand(self, kind: str, value: str) -> str:
        known = sum(name.startswith(kind) for name in self._made.values())
        return self._made.setdefault(f"{kind} {value}", f"{kind} {known + 1}")

    def _plain(self, text: str) -> str:
        for path, stands in self.places.items():
            text = text.replace(path, stands)
        for kind, pattern in _MADE.items():
            for found in dict.fromkeys(pattern.findall(text)):
                text = text.replace(found, f"<{self._stand(kind, found)}>")
        return _MOMENT.sub(_now, _KEY.sub("/<number>/", text))


def _now(found: re.Match[str]) -> str:
    """``<now>`` for a time of today that a daemon wrote down as text; another one is what somebody asked for."""
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(found[0])
    return "<now>" if abs(age) < datetime.timedelta(hours=1) else found[0]


def _shown(data: bytes) -> str:
    return repr(data) if len(data) < 200 else f"{len(data)} bytes, {digests.of(data)}"


def ending(message: str) -> str:
    """The words for the error's class at the end, by which containerd's Go client tells some apart, or nothing."""
    words = message.rpartition(": ")[2]
    return words if words in _CLASSES else ""


def subject(message: str) -> str:
    """The first thing that the message quotes, or nothing."""
    found = _QUOTED.search(message)
    return found.group(1) if found else ""


@dataclass(frozen=True)
class Difference:
    """A path of a step and what stands there on each side; ``-`` for nothing."""

    step: str
    path: str
    theirs: str
    ours: str
    said: str = ""

    def __str__(self) -> str:
        return f"{self.step}: {self.path}: {self.theirs} -> {self.ours}{self.said}"


def differences(theirs: Sequence[Step], ours: Sequence[Step]) -> list[Difference]:
    """Step by step; where one side has more of them, the rest is compared with nothing."""
    nothing = Step("", {})
    longest = max(len(theirs), len(ours))
    padded = ([*each, *[nothing] * (longest - len(each))] for each in (theirs, ours))
    return [difference for pair in zip(*padded, strict=True) for difference in _between(*pair)]


def _between(theirs: Step, ours: Step) -> Iterable[Difference]:
    name = theirs.name or ours.name
    if theirs.name != ours.name:
        yield Difference(name, "step", theirs.name or "-", ours.name or "-")
        return
    said = f"  ({theirs.said or 'OK'} -> {ours.said or 'OK'})" if theirs.said or ours.said else ""
    for path in _paths(theirs, ours):
        pair = [str(each.leaves.get(path, "-")) for each in (theirs, ours)]
        if pair[0] != pair[1]:
            yield Difference(name, path, pair[0], pair[1], said)


def _paths(theirs: Step, ours: Step) -> list[str]:
    """Those to compare. Of an error only what theirs says: no client can miss words that containerd does not have."""
    if theirs.leaves.get("verdict") == UNCLASSED and ours.said:
        return []  # a client can do nothing with Unknown but fail, so a better class is no loss
    if theirs.leaves.get("verdict") != ours.leaves.get("verdict"):
        return ["verdict"]  # an answer and an error have nothing else in common
    if not theirs.said:
        return sorted(theirs.leaves.keys() | ours.leaves.keys())
    told = f'"{theirs.leaves.get("subject")}"' in ours.said
    return [path for path in theirs.leaves if not (path == "subject" and told)]


@dataclass(frozen=True)
class Known:
    """A difference that is meant. All but ``reason`` are patterns (fnmatch); ``peer`` is a containerd's version."""

    scene: str
    step: str
    path: str
    theirs: str
    ours: str
    peer: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        pairs = (
            (difference.step, self.step),
            (difference.path, self.path),
            (difference.theirs, self.theirs),
            (difference.ours, self.ours),
        )
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


def unexplained(found: Sequence[Difference], table: Sequence[Known]) -> list[Difference]:
    """Those that no line of the table covers."""
    return [each for each in found if not any(known.covers(each) for known in table)]


def needed(found: Sequence[Difference], table: Sequence[Known]) -> set[Known]:
    """Lines of the table that cover one of them."""
    return {known for known in table if any(known.covers(each) for each in found)}
