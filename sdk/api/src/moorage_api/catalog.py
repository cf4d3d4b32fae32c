"""What is where: which descriptor set is which API, and which proto files make up which message module.

``generate.py`` compiles one set per API from ``protos/<api>/`` and writes one stub per module.
"""

from __future__ import annotations

APIS = ("google", "containerd", "cgroups", "health", "reflection", "moorage")
"""Descriptor sets in ``descriptors/``, an importing one after those that it imports."""

MODULES: dict[str, tuple[str, ...]] = {
    "bootstrap": ("runtime/bootstrap/v1/bootstrap.proto",),
    "cgroups1": ("cgroup1/stats/metrics.proto",),
    "cgroups2": ("cgroup2/stats/metrics.proto",),
    "containers": ("services/containers/v1/containers.proto",),
    "content": ("services/content/v1/content.proto",),
    "diff": ("services/diff/v1/diff.proto",),
    "events": (
        "events/container.proto",
        "events/content.proto",
        "events/namespace.proto",
        "events/sandbox.proto",
        "events/snapshot.proto",
        "events/task.proto",
    ),
    "events_service": ("services/events/v1/events.proto",),
    "gc": ("services/gc/v1/gc.proto",),
    "health": ("grpc/health/v1/health.proto",),
    "images": ("services/images/v1/images.proto", "events/image.proto"),
    "introspection": ("services/introspection/v1/introspection.proto",),
    "leases": ("services/leases/v1/leases.proto",),
    "mounts": ("services/mounts/v1/mounts.proto",),
    "namespaces": ("services/namespaces/v1/namespace.proto",),
    "reflection": ("grpc/reflection/v1/reflection.proto",),
    "reflection_alpha": ("grpc/reflection/v1alpha/reflection.proto",),
    "rpc_status": ("google/rpc/status.proto",),
    "runc_options": ("types/runc/options/oci.proto",),
    "runtime_options": ("types/runtimeoptions/v1/api.proto",),
    "sandboxes": ("services/sandbox/v1/sandbox.proto",),
    "shim_sandbox": ("runtime/sandbox/v1/sandbox.proto",),
    "shim_v2": ("runtime/task/v2/shim.proto",),
    "shim_v3": ("runtime/task/v3/shim.proto",),
    "snapshots": ("services/snapshots/v1/snapshots.proto",),
    "streaming": ("services/streaming/v1/streaming.proto",),
    "task_types": ("types/task/task.proto",),
    "tasks": ("services/tasks/v1/tasks.proto",),
    "transfer": ("services/transfer/v1/transfer.proto",),
    "transfer_types": (
        "types/transfer/container.proto",
        "types/transfer/imagestore.proto",
        "types/transfer/importexport.proto",
        "types/transfer/progress.proto",
        "types/transfer/registry.proto",
        "types/transfer/streaming.proto",
    ),
    "ttrpc_events": ("services/ttrpc/events/v1/events.proto",),
    "types": (
        "types/descriptor.proto",
        "types/event.proto",
        "types/fieldpath.proto",
        "types/introspection.proto",
        "types/metrics.proto",
        "types/mount.proto",
        "types/platform.proto",
        "types/sandbox.proto",
    ),
    "version": ("services/version/v1/version.proto",),
}
"""Module of ``moorage_api.messages`` -> proto files whose top-level names it offers."""
