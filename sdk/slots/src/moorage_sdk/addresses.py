"""Where this daemon listens, for those who must tell others: task managers tell shims, ttrpc stands beside gRPC."""

from __future__ import annotations

from pathlib import Path

from moorage_sdk.slots import InitContext

GRPC = "io.containerd.server.v1.grpc"
TTRPC = "io.containerd.server.v1.ttrpc"


def grpc(ctx: InitContext) -> str:
    """The socket of the gRPC server, absolute: as configured, else ``moorage.sock`` in the state directory.

    A daemon that runs under the name ``containerd`` calls it ``containerd.sock``.
    """
    name = "containerd.sock" if ctx.daemon.program == "containerd" else "moorage.sock"
    return _configured(ctx, GRPC) or str(ctx.daemon.state / name)


def ttrpc(ctx: InitContext) -> str:
    """The socket of the ttrpc server: as configured, else the gRPC socket with ``.ttrpc`` behind it.

    Shims derive it the same way when they are not told (core/runtime/v2 in containerd v2.3).
    """
    return _configured(ctx, TTRPC) or f"{grpc(ctx)}.ttrpc"


def _configured(ctx: InitContext, uri: str) -> str:
    address = ctx.table(uri).get("address", "")
    path = address.removeprefix("unix://") if isinstance(address, str) else ""
    if not path or path.startswith("@") or "://" in path:
        return path  # no path: the server refuses it and says why
    return str(Path(path).absolute())  # shims run in other directories than the daemon
