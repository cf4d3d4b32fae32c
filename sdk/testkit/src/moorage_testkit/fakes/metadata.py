"""Metadata in memory: views with records of their own, and a content store for each namespace.

No transactions, no collection of its own accord, no sharing of blobs: what a service needs to be called with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from moorage_sdk import errors, identifiers, labels, masks
from moorage_sdk.containers import Container, Containers
from moorage_sdk.content import ContentStore
from moorage_sdk.images import Image, Images
from moorage_sdk.leases import Lease, Leases, Resource
from moorage_sdk.metadata import Change, Collection, Metadata, View
from moorage_sdk.namespaces import Namespace, Namespaces, required
from moorage_sdk.resources import Resources
from moorage_sdk.sandboxes import Sandbox, Sandboxes
from moorage_sdk.snapshots import Snapshotter
from moorage_testkit.fakes.content import MemoryStore

R = TypeVar("R")


def _known(records: Mapping[str, R], kind: str, key: str) -> R:
    if key not in records:
        raise errors.NotFound(f'{kind} "{key}": not found')
    return records[key]


def _new(records: Mapping[str, Any], kind: str, key: str) -> None:
    if key in records:
        raise errors.AlreadyExists(f'{kind} "{key}": already exists')


class MemoryImages(Images):
    def __init__(self) -> None:
        self.records: dict[str, Image] = {}

    def get(self, name: str) -> Image:
        return _known(self.records, "image", name)

    def list(self) -> list[Image]:
        return [self.records[name] for name in sorted(self.records)]

    def create(self, image: Image, *, at: int = 0) -> Image:
        if not image.name or not image.target.digest:
            raise errors.InvalidArgument(f'image "{image.name}": name and target are required: invalid argument')
        _new(self.records, "image", image.name)
        now = at or time.time_ns()
        self.records[image.name] = replace(image, created_at=now, updated_at=now)
        return self.records[image.name]

    def update(self, image: Image, paths: Sequence[str] = (), *, at: int = 0) -> Image:
        before = self.get(image.name)
        masks.check(paths, ("labels", "labels.", "annotations", "annotations.", "target"), f'image "{image.name}"')
        named = paths or ("labels", "target")
        target = image.target if "target" in named else before.target
        kept = masks.update_map(before.labels, image.labels, named)
        self.records[image.name] = replace(before, target=target, labels=kept, updated_at=at or time.time_ns())
        return self.records[image.name]

    def delete(self, name: str, *, target: str = "") -> None:
        if target and self.get(name).target.digest != target:
            raise errors.NotFound(f'image "{name}": has another target: not found')
        self.get(name)
        del self.records[name]


class MemoryContainers(Containers):
    def __init__(self) -> None:
        self.records: dict[str, Container] = {}

    def get(self, id: str) -> Container:
        return _known(self.records, "container", id)

    def list(self) -> list[Container]:
        return [self.records[id] for id in sorted(self.records)]

    def create(self, container: Container) -> Container:
        identifiers.validate(container.id, "container id")
        if not container.runtime.name or container.spec is None:
            raise errors.InvalidArgument(f'container "{container.id}": runtime and spec are required: invalid argument')
        _new(self.records, "container", container.id)
        now = time.time_ns()
        self.records[container.id] = replace(container, created_at=now, updated_at=now)
        return self.records[container.id]

    def update(self, container: Container, paths: Sequence[str] = ()) -> Container:
        before = self.get(container.id)
        allowed = ("labels", "labels.", "spec", "extensions", "extensions.", "image", "snapshotkey")
        masks.check(paths, allowed, f'container "{container.id}"')
        named = paths or allowed
        after = replace(before, updated_at=time.time_ns())
        after = replace(after, labels=masks.update_map(before.labels, container.labels, named))
        after = replace(
            after, extensions=masks.update_map(before.extensions, container.extensions, named, "extensions")
        )
        for path, field in {"spec": "spec", "image": "image", "snapshotkey": "snapshot_key"}.items():
            if path in named:
                after = replace(after, **{field: getattr(container, field)})
        self.records[container.id] = after
        return after

    def delete(self, id: str) -> None:
        self.get(id)
        del self.records[id]


class MemorySandboxes(Sandboxes):
    def __init__(self) -> None:
        self.records: dict[str, Sandbox] = {}

    def get(self, id: str) -> Sandbox:
        return _known(self.records, "sandbox", id)

    def list(self) -> list[Sandbox]:
        return [self.records[id] for id in sorted(self.records)]

    def create(self, sandbox: Sandbox) -> Sandbox:
        identifiers.validate(sandbox.id, "sandbox id")
        _new(self.records, "sandbox", sandbox.id)
        now = time.time_ns()
        self.records[sandbox.id] = replace(sandbox, created_at=now, updated_at=now)
        return self.records[sandbox.id]

    def update(self, sandbox: Sandbox, paths: Sequence[str] = ()) -> Sandbox:
        before = self.get(sandbox.id)
        allowed = ("labels", "labels.", "extensions", "extensions.", "spec", "runtime")
        masks.check(paths, allowed, f'sandbox "{sandbox.id}"')
        named = paths or allowed
        after = replace(before, updated_at=time.time_ns())
        after = replace(after, labels=masks.update_map(before.labels, sandbox.labels, named))
        after = replace(after, extensions=masks.update_map(before.extensions, sandbox.extensions, named, "extensions"))
        for field in ("spec", "runtime"):
            if field in named:
                after = replace(after, **{field: getattr(sandbox, field)})
        self.records[sandbox.id] = after
        return after

    def delete(self, id: str) -> None:
        self.get(id)
        del self.records[id]


class MemoryLeases(Leases):
    def __init__(self) -> None:
        self.records: dict[str, Lease] = {}
        self.held: dict[str, list[Resource]] = {}

    def create(self, id: str = "", labels: Mapping[str, str] | None = None) -> Lease:
        name = id or f"lease-{len(self.records)}"
        _new(self.records, "lease", name)
        self.records[name] = Lease(name, time.time_ns(), dict(labels or {}))
        self.held[name] = []
        return self.records[name]

    def delete(self, id: str) -> None:
        _known(self.records, "lease", id)
        del self.records[id], self.held[id]

    def list(self) -> list[Lease]:
        return [self.records[id] for id in sorted(self.records)]

    def add_resource(self, id: str, resource: Resource) -> None:
        self._check(id, resource)
        if resource not in self.held[id]:
            self.held[id].append(resource)

    def delete_resource(self, id: str, resource: Resource) -> None:
        self._check(id, resource)
        if resource in self.held[id]:
            self.held[id].remove(resource)

    def resources(self, id: str) -> Any:
        return list(_known(self.held, "lease", id))

    def _check(self, id: str, resource: Resource) -> None:
        _known(self.records, "lease", id)
        if resource.type not in ("content", "ingests", "images") and not resource.type.startswith("snapshots/"):
            raise errors.Unimplemented(f'lease resource of type "{resource.type}": not implemented')


class MemoryNamespaces(Namespaces):
    def __init__(self) -> None:
        self.records: dict[str, Namespace] = {}

    def get(self, name: str) -> Namespace:
        return self.records.get(identifiers.validate(name, "namespace"), Namespace(name))

    def list(self) -> list[Namespace]:
        return [self.records[name] for name in sorted(self.records)]

    def create(self, namespace: Namespace) -> Namespace:
        identifiers.validate(namespace.name, "namespace")
        _new(self.records, "namespace", namespace.name)
        self.records[namespace.name] = replace(namespace, labels=labels.stored(namespace.labels))
        return self.records[namespace.name]

    def update(self, namespace: Namespace, paths: Sequence[str] = ()) -> Namespace:
        before = self.get(namespace.name)
        kept = masks.update_map(before.labels, namespace.labels, paths or ("labels",))
        self.records[namespace.name] = replace(before, labels=kept)
        return self.records[namespace.name]

    def delete(self, name: str) -> None:
        _known(self.records, "namespace", name)
        del self.records[name]


class MemoryView(View):
    def __init__(self, namespace: str, snapshotters: Mapping[str, Snapshotter]) -> None:
        self._namespace, self._snapshotters = namespace, snapshotters
        self._content, self._images, self._containers = MemoryStore(), MemoryImages(), MemoryContainers()
        self._sandboxes, self._leases = MemorySandboxes(), MemoryLeases()

    @property
    def namespace(self) -> str:
        return self._namespace

    @property
    def content(self) -> ContentStore:
        return self._content

    @property
    def images(self) -> Images:
        return self._images

    @property
    def containers(self) -> Containers:
        return self._containers

    @property
    def sandboxes(self) -> Sandboxes:
        return self._sandboxes

    @property
    def leases(self) -> Leases:
        return self._leases

    def snapshotter(self, name: str) -> Snapshotter:
        if name not in self._snapshotters:
            raise errors.InvalidArgument(f'snapshotter "{name}" not loaded: invalid argument')
        return self._snapshotters[name]


class MemoryMetadata(Metadata):
    """``collections`` counts calls of ``collect``. All namespaces share the snapshotters."""

    def __init__(self, snapshotters: Mapping[str, Snapshotter] | None = None) -> None:
        self._snapshotters = dict(snapshotters or {})
        self._namespaces = MemoryNamespaces()
        self._views: dict[str, MemoryView] = {}
        self.collections = 0
        self.resources: dict[str, Resources] = {}

    @property
    def namespaces(self) -> Namespaces:
        return self._namespaces

    @property
    def snapshotters(self) -> Sequence[str]:
        return sorted(self._snapshotters)

    @property
    def default_snapshotter(self) -> str:
        if not self._snapshotters:
            raise errors.FailedPrecondition("snapshotters: none works: failed precondition")
        return self.snapshotters[0]

    def view(self, namespace: str, lease: str = "") -> MemoryView:
        return self._views.setdefault(required(namespace), MemoryView(namespace, self._snapshotters))

    def collect(self) -> Collection:
        self.collections += 1
        return Collection()

    def collects(self, resources: Resources) -> None:
        self.resources[resources.kind] = resources

    def watch(self, changed: Callable[[Change], None]) -> None:
        """Nothing is announced: nothing is collected here either."""
