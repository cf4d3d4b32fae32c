"""On whose behalf a peer is asked, and the headers that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace

NAMESPACE = "containerd-namespace"
"""pkg/namespaces/grpc.go."""

LEASE = "containerd-lease"
"""core/leases/grpc.go."""

UNSPOKEN = "default"
"""The namespace of what is done on nobody's behalf. Peers without namespaces do not look at it."""


@dataclass(frozen=True)
class Scope:
    """On whose behalf a peer is asked. ``pinned``: the configuration says so, whoever the client is."""

    namespace: str = ""
    lease: str = ""
    pinned: bool = False

    def within(self, namespace: str) -> Scope:
        """The same for calls of a client's namespace."""
        return self if self.pinned else replace(self, namespace=namespace)

    def of(self, key: str) -> Scope:
        """On nobody's behalf that of a key counts, which is ``namespace/number/key`` for a backend."""
        return self if self.namespace or key.count("/") < 2 else replace(self, namespace=key.partition("/")[0])

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        namespace = ((NAMESPACE, self.namespace or UNSPOKEN),)
        return (*namespace, (LEASE, self.lease)) if self.lease else namespace


NOBODY = Scope()
