"""Plugins and settings that containerd has or once had, and moorage has not, each with the reason.

From the registrations of containerd 1.0 to 2.3. Standard library only: this is read before any plugin is imported.
"""

from __future__ import annotations

from collections.abc import Mapping

Key = tuple[str, ...]

THEIRS = "containerd's, not part of moorage"

_CRI = "pods of Kubernetes are not served"
_METRICS = "metrics are not served"
_TRACES = "nothing is traced"
_DEBUG = "profiles are not served, SIGUSR1 writes stacks to the log"
_STORAGE = "snapshotters of others come by [proxy_plugins]"
_WINDOWS = "for Windows"
_PART = "what it does is part of another plugin"

_PLUGINS: Mapping[str, tuple[str, ...]] = {
    _CRI: (
        "io.containerd.grpc.v1.cri",
        "io.containerd.cri.v1.images",
        "io.containerd.cri.v1.runtime",
        "io.containerd.podsandbox.controller.v1.podsandbox",
    ),
    _METRICS: (
        "io.containerd.monitor.v1.cgroups",
        "io.containerd.monitor.task.v1.cgroups",
        "io.containerd.metrics.v1.grpc-prometheus",
        "io.containerd.server.v1.metrics",
    ),
    _TRACES: (
        "io.containerd.internal.v1.tracing",
        "io.containerd.tracing.processor.v1.otlp",
        "io.containerd.ttrpc.v1.otelttrpc",
        "io.containerd.metrics.v1.grpc-otel",
    ),
    _DEBUG: ("io.containerd.server.v1.debug", "io.containerd.http.v1.pprof"),
    _STORAGE: (
        "io.containerd.snapshotter.v1.aufs",
        "io.containerd.snapshotter.v1.blockfile",
        "io.containerd.snapshotter.v1.btrfs",
        "io.containerd.snapshotter.v1.devmapper",
        "io.containerd.snapshotter.v1.erofs",
        "io.containerd.snapshotter.v1.zfs",
        "io.containerd.differ.v1.erofs",
    ),
    _WINDOWS: tuple(
        f"io.containerd.{kind}.v1.{name}"
        for kind in ("snapshotter", "differ")
        for name in ("windows", "windows-lcow", "cimfs", "blockcim")
    ),
    _PART: (
        "io.containerd.lease.v1.manager",
        "io.containerd.streaming.v1.manager",
        "io.containerd.service.v1.containers-service",
        "io.containerd.service.v1.content-service",
        "io.containerd.service.v1.images-service",
        "io.containerd.service.v1.introspection-service",
        "io.containerd.service.v1.leases-service",
        "io.containerd.service.v1.namespaces-service",
        "io.containerd.service.v1.snapshots-service",
        "io.containerd.service.v1.tasks-service",
    ),
    "its store is that of io.containerd.mount-manager.v1.lmdb": ("io.containerd.mount-manager.v1.bolt",),
    "nobody is asked about containers (NRI)": ("io.containerd.nri.v1.nri",),
    "images are not judged by programs": ("io.containerd.image-verifier.v1.bindir",),
    "programs are not looked for under /opt/containerd": ("io.containerd.internal.v1.opt",),
    "its runtimes ended with containerd 1.7": ("io.containerd.runtime.v1.linux",),
}

_KEYS: Mapping[Key, str] = {
    ("plugin_dir",): "plugins are not files of a directory but installed distributions",
    ("no_subreaper",): "means nothing since containerd 1.2",
    ("subreaper",): "means nothing since containerd 1.2",
    ("debug", "log_trace_id"): _TRACES,
    ("plugins", "io.containerd.runtime.v2.task", "sched_core"): "core scheduling is set by shims themselves",
    ("plugins", "io.containerd.transfer.v1.local", "concurrent_layer_fetch_buffer"): "layers are unpacked as they come",
    ("timeouts", "io.containerd.timeout.bolt.open"): "a second daemon on one root is refused at once",
    ("timeouts", "io.containerd.timeout.cri.defercleanup"): _CRI,
    ("timeouts", "io.containerd.timeout.metrics.shimstats"): _METRICS,
}

ABSENT: Mapping[Key, str] = {
    **{("plugins", uri): f"{THEIRS}: {reason}" for reason, uris in _PLUGINS.items() for uri in uris},
    **{key: f"{THEIRS}: {reason}" for key, reason in _KEYS.items()},
}
