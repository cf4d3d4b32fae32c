"""Content beside a model of it: ingests written piece by piece, given up, committed, shared between namespaces."""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from moorage_sdk import digests, errors

ROOT = "containerd.io/gc.root"
PIECES = [b"a", b"bb", b"a" * 5000]


class Model:
    """``names`` are (namespace, digest) with labels, ``ingests`` (namespace, reference) with what was written, and
    ``blobs`` all bytes that the store has, named or not. An ingest that shares a blob has written None."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], dict[str, str]] = {}
        self.ingests: dict[tuple[str, str], bytes | None] = {}
        self.shared: dict[tuple[str, str], str] = {}
        self.blobs: dict[str, bytes] = {}

    def append(self, namespace: str, lease: str, ref: str, data: bytes) -> tuple[int, str]:
        return self._write(namespace, ref, (self.ingests.get((namespace, ref)) or b"") + data)

    def truncate(self, namespace: str, ref: str, size: int) -> tuple[int, str]:
        written = self.ingests.get((namespace, ref)) or b""
        if size > len(written):
            self._write(namespace, ref, written)
            raise errors.OutOfRange("")
        return self._write(namespace, ref, written[:size])

    def _write(self, namespace: str, ref: str, data: bytes) -> tuple[int, str]:
        self.ingests[namespace, ref] = data
        self.shared.pop((namespace, ref), None)
        return len(data), digests.of(data)

    def commit(
        self, namespace: str, lease: str, ref: str, size: int, expected: str, labels: dict[str, str], share: bool
    ) -> str:
        if share and (namespace, expected) in self.names:
            raise errors.AlreadyExists("")
        key = (namespace, ref)
        self.shared.pop(key, None)
        if share and expected in self.blobs:
            self.ingests.setdefault(key, None)
            self.shared[key] = expected
            written = self.blobs[expected]
        else:
            written = self.ingests[key] = self.ingests.get(key) or b""
        digest = digests.of(written)
        if (size and size != len(written)) or (expected and expected != digest):
            raise errors.FailedPrecondition("")
        self.blobs[digest] = written
        self.ingests.pop(key)
        self.shared.pop(key, None)
        if (namespace, digest) in self.names:
            raise errors.AlreadyExists("")
        self.names[namespace, digest] = labels
        return digest

    def share(self, namespace: str, lease: str, ref: str, expected: str) -> int:
        if (namespace, expected) in self.names:
            raise errors.AlreadyExists("")
        key = (namespace, ref)
        if expected in self.blobs:
            self.ingests.setdefault(key, None)
            self.shared[key] = expected
            return len(self.blobs[expected])
        self._write(namespace, ref, self.ingests.get(key) or b"")
        return len(self.ingests[key] or b"")

    def call(self, namespace: str, lease: str, path: str, *arguments: Any) -> Any:
        if path == "content.abort":
            if self.ingests.pop((namespace, arguments[0]), "none") == "none":
                raise errors.NotFound("")
            self.shared.pop((namespace, arguments[0]), None)
            return None
        if path == "content.delete":
            if self.names.pop((namespace, arguments[0]), None) is None:
                raise errors.NotFound("")
            return None
        raise AssertionError(path)

    def relabel(self, namespace: str, digest: str, labels: dict[str, str], paths: tuple[str, ...]) -> None:
        if (namespace, digest) not in self.names:
            raise errors.NotFound("")
        old = {} if not paths else dict(self.names[namespace, digest])
        for key in [path.removeprefix("labels.") for path in paths] or labels:
            old.pop(key, None)
            if key in labels:
                old[key] = labels[key]
        self.names[namespace, digest] = {key: value for key, value in old.items() if value}

    def read(self, namespace: str, digest: str) -> bytes:
        if (namespace, digest) not in self.names:
            raise errors.NotFound("")
        return self.blobs[digest]

    def collect(self) -> None:
        """Only root labels keep a name here, and an ingest what it shares."""
        shared = {(namespace, digest) for (namespace, _), digest in self.shared.items()}
        self.names = {key: labels for key, labels in self.names.items() if ROOT in labels or key in shared}
        kept = {digest for _, digest in self.names} | set(self.shared.values())
        self.blobs = {digest: data for digest, data in self.blobs.items() if digest in kept}

    def look(self) -> Any:
        names = {(*key, tuple(sorted(labels.items())), len(self.blobs[key[1]])) for key, labels in self.names.items()}
        ingests = {(*key, len(written)) for key, written in self.ingests.items() if written is not None}
        return sorted(names), sorted(ingests)


def seen(process: Any) -> Any:
    names, ingests = [], []
    for namespace in ("one", "two"):
        for info in process.call("call", namespace, "", "content.walk"):
            names.append((namespace, info.digest, tuple(sorted(info.labels.items())), info.size))
        for status in process.call("call", namespace, "", "content.statuses"):
            ingests.append((namespace, status.ref, status.offset))
    return sorted(names), sorted(ingests)


namespaces = st.sampled_from(["one", "two"])
refs = st.sampled_from(["r", "s"])
pieces = st.sampled_from(PIECES)
wholes = st.lists(pieces, max_size=2).map(b"".join)
labels = st.dictionaries(st.sampled_from([ROOT, "k"]), st.sampled_from(["1", "2"]))


crashes = st.sampled_from([None] * 12 + [1, 2, 3, 4, 6, 9])
"""Before which effect of a call the store is killed; as a rule it is not."""


def torn(before: Model, name: str, arguments: tuple[Any, ...]) -> list[Model]:
    """What a killed call may leave besides everything and nothing."""
    key = (arguments[0], arguments[1 if name == "truncate" else 2]) if arguments else ("", "")
    if name not in ("append", "truncate", "share", "commit"):
        return []
    opened = _with(before, key, before.ingests.get(key) or b"")
    if name != "commit":
        return [opened]
    # The bytes are a blob, but the name for it was not written: whoever comes again finds it by its digest.
    lost = copy.deepcopy(opened)
    written = lost.ingests.pop(key) or b""
    lost.blobs[digests.of(written)] = written
    return [opened, lost]


def _with(before: Model, key: tuple[str, str], written: bytes) -> Model:
    after = copy.deepcopy(before)
    after.ingests[key] = written
    after.shared.pop(key, None)
    return after


class Machine(RuleBasedStateMachine):
    def __init__(self, both: Any) -> None:
        super().__init__()
        self.both = both

    def teardown(self) -> None:
        self.both.process.close()

    def act(self, crash: int | None, name: str, *arguments: Any) -> None:
        if crash is None:
            self.both.do(name, *arguments)
            return
        self.both.die(crash, name, *arguments)
        self._settle()

    def _settle(self) -> None:
        """Do away with what cannot be seen: ingests that have only a name, blobs that have none."""
        visible = {(namespace, ref) for namespace, ref, _ in self.both.model.look()[1]}
        for key in itertools.product(("one", "two"), ("r", "s")):
            if key not in visible or key in self.both.model.shared:
                with contextlib.suppress(errors.NotFound):
                    self.both.process.call("call", key[0], "", "content.abort", key[1])
                self.both.model.ingests.pop(key, None)
                self.both.model.shared.pop(key, None)
        self.collect()

    @rule(namespace=namespaces, ref=refs, data=pieces, crash=crashes)
    def append(self, namespace: str, ref: str, data: bytes, crash: int | None) -> None:
        self.act(crash, "append", namespace, "", ref, data)

    @rule(namespace=namespaces, ref=refs, size=st.sampled_from([0, 1, 2, 5000]), crash=crashes)
    def truncate(self, namespace: str, ref: str, size: int, crash: int | None) -> None:
        self.act(crash, "truncate", namespace, ref, size)

    @rule(
        namespace=namespaces,
        ref=refs,
        data=st.none() | wholes,
        sized=st.booleans(),
        labels=labels,
        share=st.booleans(),
        crash=crashes,
    )
    def commit(
        self,
        namespace: str,
        ref: str,
        data: bytes | None,
        sized: bool,
        labels: dict[str, str],
        share: bool,
        crash: int | None,
    ) -> None:
        """``data`` is what the client believes to have written."""
        expected, size = ("", 0) if data is None else (digests.of(data), len(data) if sized else 0)
        self.act(crash, "commit", namespace, "", ref, size, expected, labels, share and bool(expected))

    @rule(namespace=namespaces, ref=refs, labels=labels, crash=crashes)
    def finish(self, namespace: str, ref: str, labels: dict[str, str], crash: int | None) -> None:
        """Commit what was written, with its size and digest."""
        written = self.both.model.ingests.get((namespace, ref)) or b""
        self.act(crash, "commit", namespace, "", ref, len(written), digests.of(written), labels, False)

    @rule(namespace=namespaces, ref=refs, data=wholes, crash=crashes)
    def share(self, namespace: str, ref: str, data: bytes, crash: int | None) -> None:
        self.act(crash, "share", namespace, "", ref, digests.of(data))

    @rule(namespace=namespaces, ref=refs, number=st.integers(0, 3), labels=labels, collect=st.booleans())
    def adopt(self, namespace: str, ref: str, number: int, labels: dict[str, str], collect: bool) -> None:
        """Share a blob that is there, which must outlive its other names, and then give it a name."""
        if blobs := sorted(self.both.model.blobs):
            digest = blobs[number % len(blobs)]
            self.both.do("share", namespace, "", ref, digest)
            if collect:
                self.collect()
            self.both.do("commit", namespace, "", ref, 0, digest, labels, True)

    @rule(namespace=namespaces, ref=refs, crash=crashes)
    def abort(self, namespace: str, ref: str, crash: int | None) -> None:
        self.act(crash, "call", namespace, "", "content.abort", ref)

    @rule(namespace=namespaces, data=wholes, crash=crashes)
    def delete(self, namespace: str, data: bytes, crash: int | None) -> None:
        self.act(crash, "call", namespace, "", "content.delete", digests.of(data))

    @rule(namespace=namespaces, data=wholes, labels=labels, paths=st.sampled_from([(), ("labels.k",)]), crash=crashes)
    def relabel(
        self, namespace: str, data: bytes, labels: dict[str, str], paths: tuple[str, ...], crash: int | None
    ) -> None:
        self.act(crash, "relabel", namespace, digests.of(data), labels, paths)

    @rule(namespace=namespaces, data=wholes)
    def read(self, namespace: str, data: bytes) -> None:
        self.both.do("read", namespace, digests.of(data))

    @rule()
    def collect(self) -> None:
        planned = self.both.process.call("plan")
        assert self.both.process.call("collect") == (planned, [])
        self.both.model.collect()
        disk = self.both.process.call("disk")
        assert set(disk["blobs"]) == set(self.both.model.blobs)
        written = {"/".join(key) for key, data in self.both.model.ingests.items() if data is not None}
        assert set(disk["ingests"]) == written

    @rule(crash=crashes)
    def collect_and_die(self, crash: int | None) -> None:
        self.act(crash or 5, "collect")

    @rule()
    def restart(self) -> None:
        self.both.process.restart()
        self._settle()

    @invariant()
    def nothing_is_seen_that_the_model_does_not_have(self) -> None:
        self.both.check()


def test_content_beside_its_model(start: Callable[[], Any], beside: Any, scaled: Any) -> None:
    run_state_machine_as_test(lambda: Machine(beside(start(), Model(), seen, torn)), settings=scaled(20, 40))
