"""Registers the services. Each is a plugin by itself, so that one whose slot is missing does not silence the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.activations import MOUNT_MANAGER
from moorage_sdk.collectors import COLLECTOR
from moorage_sdk.deprecations import DEPRECATIONS, Deprecations
from moorage_sdk.differs import DIFFER, Differ
from moorage_sdk.events import EXCHANGE
from moorage_sdk.garbage import Planner
from moorage_sdk.metadata import METADATA
from moorage_sdk.sandboxes import SANDBOX_CONTROLLER
from moorage_sdk.services import SERVICE, TTRPC_SERVICE, Service
from moorage_sdk.slots import InitContext, NoConfig, Plugin, Skip
from moorage_sdk.tasks import TASKS
from moorage_sdk.transfers import TRANSFER
from moorage_services import deprecations
from moorage_services.calls import GrpcService
from moorage_services.checkpoints import Checkpoints
from moorage_services.containers import ContainerService
from moorage_services.contents import ContentService
from moorage_services.differs import DiffService
from moorage_services.drains import DRAIN
from moorage_services.errands import Kind
from moorage_services.events import EventService, Forwarding
from moorage_services.garbage import GarbageService
from moorage_services.healths import HealthService
from moorage_services.images import ImageService
from moorage_services.introspections import IntrospectionService
from moorage_services.leases import LeaseService
from moorage_services.mounts import MountService
from moorage_services.namespaces import NamespaceService
from moorage_services.pools import Pool, Pools
from moorage_services.receipts import Receipts
from moorage_services.registers import Streams
from moorage_services.sandboxers import SandboxerService
from moorage_services.sandboxes import SandboxService
from moorage_services.snapshots import SnapshotService
from moorage_services.streamings import StreamService
from moorage_services.tasks import TaskService
from moorage_services.transfers import TransferService
from moorage_services.versions import VersionService

log = logging.getLogger(__name__)

# One of each for all services of the daemon; a pool without work has no threads.
STORAGE = Pool("storage", 8)
STREAMS = Pool("streams", 8)
SNAPSHOTS = Pools("snapshots", 8)
LAYERS = Pool("layers", 4)
NETWORK = Pool("network", 16)
MOUNTS = Pool("mounts", 4)
ARCHIVES = Pool("archives", 16)

NAMED_STREAMS = Streams()
"""What the streaming service registers, the transfer service finds."""

TASK_MANAGER = "io.containerd.runtime.v2.task"
"""The plugin that clients ask about runtimes (plugins/services/introspection/local.go and containerd's client)."""


@dataclass(frozen=True)
class DiffConfig:
    default: tuple[str, ...] = ("walking",)
    """Differs in the order in which they are asked whether they know a layer's media type."""
    sync_fs: bool = False
    """Flush the file system after every layer, whether the client asks for it or not."""


def make_containers(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(ContainerService(ctx.one(METADATA), STORAGE))


def make_content(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(ContentService(ctx.one(METADATA), STORAGE, STREAMS))


def make_deprecated(ctx: InitContext, config: NoConfig) -> Deprecations:
    register = deprecations.Register()
    deprecations.look_at_host(register)
    return register


def make_diff(ctx: InitContext, config: DiffConfig) -> Service:
    return GrpcService(DiffService(ctx.one(METADATA), _ordered(ctx, config.default), LAYERS, sync=config.sync_fs))


def make_events(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(EventService(ctx.one(EXCHANGE), DRAIN))


def make_forwarding(ctx: InitContext, config: NoConfig) -> Service:
    receipts = Receipts(ctx.state / "taken")
    ctx.on_close(receipts.close)
    return Forwarding(ctx.one(EXCHANGE), receipts)


def make_gc(ctx: InitContext, config: NoConfig) -> Service:
    metadata = ctx.one(METADATA)
    if not isinstance(metadata, Planner):
        raise Skip("the metadata plugin cannot say what a collection would do")
    return GrpcService(GarbageService(metadata, ctx.one(COLLECTOR), STORAGE))


def make_healthcheck(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(HealthService(DRAIN))


def make_images(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(ImageService(ctx.one(METADATA), ctx.one(COLLECTOR), STORAGE))


def make_introspection(ctx: InitContext, config: NoConfig) -> Service:
    managers = tuple(ctx.all(TASKS).values())
    informers = {TASK_MANAGER: managers[0]} if managers else {}
    return GrpcService(IntrospectionService(ctx.root / "uuid", ctx.statuses, informers, ctx.one(DEPRECATIONS), STORAGE))


def make_leases(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(LeaseService(ctx.one(METADATA), ctx.one(COLLECTOR), STORAGE))


def make_mounts(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(MountService(ctx.one(MOUNT_MANAGER), MOUNTS))


def make_namespaces(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(NamespaceService(ctx.one(METADATA).namespaces, STORAGE))


def make_sandboxers(ctx: InitContext, config: NoConfig) -> Service:
    controllers = ctx.all(SANDBOX_CONTROLLER)
    if not controllers:
        raise errors.FailedPrecondition("sandbox controllers: none is loaded: failed precondition")
    return GrpcService(SandboxerService(controllers, ctx.one(EXCHANGE), DRAIN))


def make_sandboxes(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(SandboxService(ctx.one(METADATA), STORAGE))


def make_snapshots(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(SnapshotService(ctx.one(METADATA), SNAPSHOTS))


def make_streaming(ctx: InitContext, config: NoConfig) -> Service:
    ctx.one(METADATA).collects(NAMED_STREAMS)
    return GrpcService(StreamService(NAMED_STREAMS))


def make_tasks(ctx: InitContext, config: NoConfig) -> Service:
    checkpoints = Checkpoints(tuple(ctx.all(DIFFER).values()), LAYERS, ctx.state)
    return GrpcService(TaskService(ctx.one(METADATA), ctx.one(TASKS), checkpoints, DRAIN, ctx.one(DEPRECATIONS)))


def make_transfer(ctx: InitContext, config: NoConfig) -> Service:
    pools = {Kind.NETWORK: NETWORK, Kind.CLIENT: ARCHIVES, Kind.STORAGE: STORAGE}
    return GrpcService(TransferService(ctx.one(METADATA), ctx.one(TRANSFER), NAMED_STREAMS, pools))


def make_version(ctx: InitContext, config: NoConfig) -> Service:
    return GrpcService(VersionService(ctx.daemon.version))


def _ordered(ctx: InitContext, names: tuple[str, ...]) -> tuple[Differ, ...]:
    """The differs that are there; one that is missing leaves its layers to the others."""
    found = ctx.all(DIFFER)
    for name in names:
        if name not in found:
            log.warning('differ "%s": not loaded, layers that only it knows cannot be unpacked', name)
    ordered = tuple(found[name] for name in names if name in found)
    if not ordered:
        raise errors.FailedPrecondition(f"differs {', '.join(names)}: none is loaded: failed precondition")
    return ordered


containers = Plugin(SERVICE, "containers", make_containers, requires=(METADATA,))
content = Plugin(SERVICE, "content", make_content, requires=(METADATA,))
deprecated = Plugin(DEPRECATIONS, "deprecations", make_deprecated)
diff = Plugin(SERVICE, "diff", make_diff, DiffConfig, requires=(METADATA, DIFFER))
events = Plugin(SERVICE, "events", make_events, requires=(EXCHANGE,))
forwarding = Plugin(TTRPC_SERVICE, "events", make_forwarding, requires=(EXCHANGE,))
gc = Plugin(SERVICE, "gc", make_gc, requires=(METADATA, COLLECTOR))
healthcheck = Plugin(SERVICE, "healthcheck", make_healthcheck)
images = Plugin(SERVICE, "images", make_images, requires=(METADATA, COLLECTOR))
introspection = Plugin(SERVICE, "introspection", make_introspection, requires=(TASKS, DEPRECATIONS))
leases = Plugin(SERVICE, "leases", make_leases, requires=(METADATA, COLLECTOR))
mounts = Plugin(SERVICE, "mounts", make_mounts, requires=(MOUNT_MANAGER,))
namespaces = Plugin(SERVICE, "namespaces", make_namespaces, requires=(METADATA,))
sandboxers = Plugin(SERVICE, "sandbox-controllers", make_sandboxers, requires=(SANDBOX_CONTROLLER, EXCHANGE))
sandboxes = Plugin(SERVICE, "sandboxes", make_sandboxes, requires=(METADATA,))
snapshots = Plugin(SERVICE, "snapshots", make_snapshots, requires=(METADATA,))
streaming = Plugin(SERVICE, "streaming", make_streaming, requires=(METADATA,))
tasks = Plugin(SERVICE, "tasks", make_tasks, requires=(METADATA, TASKS, DIFFER, DEPRECATIONS))
transfer = Plugin(SERVICE, "transfer", make_transfer, requires=(METADATA, TRANSFER))
version = Plugin(SERVICE, "version", make_version)
