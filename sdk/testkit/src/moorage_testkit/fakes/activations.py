"""A mount manager that mounts nothing: types with a slash and those in ``handled`` are what it takes for its own."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from moorage_sdk import errors
from moorage_sdk.activations import Activation, ActiveMount, MountManager
from moorage_sdk.mounts import Mount
from moorage_sdk.namespaces import required

LENT = "lent"
"""The namespace of what is lent."""


@dataclass
class MemoryMountManager(MountManager):
    """``asked`` are the options of each activation, by namespace and name; ``failing`` is raised by ``activate``."""

    handled: Collection[str] = ("loop",)
    activations: dict[tuple[str, str], Activation] = field(default_factory=dict)
    asked: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    failing: errors.Error | None = None

    def concerns(self, mounts: Sequence[Mount]) -> bool:
        return any("/" in mount.type or mount.type in self.handled for mount in mounts)

    def activate(
        self,
        namespace: str,
        name: str,
        mounts: Sequence[Mount],
        *,
        labels: Mapping[str, str] | None = None,
        temporary: bool = False,
        allowed: Collection[str] = (),
        lease: str = "",
    ) -> Activation:
        """All but the last are performed."""
        required(namespace)
        if self.failing:
            raise self.failing
        own = [mount for mount in mounts if mount.type not in allowed]
        if not temporary and not self.concerns(own):
            raise errors.Unimplemented("not implemented")
        if (namespace, name) in self.activations:
            raise errors.AlreadyExists(f'mount "{name}": already exists')
        done = tuple(ActiveMount(mount, f"/memory/{name}/{index}", 1) for index, mount in enumerate(mounts[:-1]))
        system = Mount(mounts[-1].type.rpartition("/")[2], f"/memory/{name}", mounts[-1].options)
        self.activations[namespace, name] = Activation(name, done, (system,), dict(labels or {}))
        self.asked[namespace, name] = {"temporary": temporary, "allowed": tuple(allowed), "lease": lease}
        return self.activations[namespace, name]

    @contextmanager
    def lent(self, mounts: Sequence[Mount]) -> Iterator[tuple[Mount, ...]]:
        if not self.concerns(mounts):
            yield tuple(mounts)
            return
        name = f"lent-{len(self.activations)}"
        try:
            yield self.activate(LENT, name, mounts).system
        finally:
            self.deactivate(LENT, name)

    def deactivate(self, namespace: str, name: str) -> None:
        self.info(namespace, name)
        del self.activations[namespace, name]

    def info(self, namespace: str, name: str) -> Activation:
        required(namespace)
        if (namespace, name) not in self.activations:
            raise errors.NotFound(f'mount "{name}": not found')
        return self.activations[namespace, name]

    def update(self, namespace: str, activation: Activation, paths: Sequence[str] = ()) -> Activation:
        raise errors.Unimplemented("not implemented")

    def list(self, namespace: str) -> builtins.list[Activation]:
        required(namespace)
        return [found for (owner, _), found in sorted(self.activations.items()) if owner == namespace]
