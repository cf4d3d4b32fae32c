"""Which monitor carries a container: the one of the node, or one more for each cgroup that clients want it to be in.

``shim_cgroup`` of runc's options says where the process must be that serves a container. One process is in one cgroup,
so that every distinct one has a monitor of its own, which leaves soon after its last container: whoever made the cgroup
wants to remove it then.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from moorage_runtime_runc import shims
from moorage_runtime_runc.supervisors import NAMES, Place
from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint, Runtime
from moorage_sys import files

if TYPE_CHECKING:
    from moorage_sdk.events import Payload
    from moorage_sdk.tasks import Bundle

FILE, LINGER = shims.CGROUP, shims.CGROUP_LINGER

Inspect = Callable[["Payload | None"], Awaitable[None]]

PATIENCE = 15.0
_PAUSE = 0.02


class Monitors(Runtime):
    """``make`` gives the runtime over the one monitor of a place; ``inspect`` may refuse what options choose."""

    def __init__(self, place: Place, make: Callable[[Place], Runtime], inspect: Inspect | None = None) -> None:
        self._place = place
        self._make = make
        self._inspect = inspect
        self._monitors = {"": make(place)}

    @property
    def names(self) -> tuple[str, ...]:
        return NAMES

    async def start(self, bundle: Bundle, options: Payload | None = None) -> Endpoint:
        if self._inspect is not None:
            await self._inspect(options)
        cgroup = wanted(options)
        if not cgroup:
            return await self._monitors[""].start(bundle)
        await asyncio.to_thread(_note, bundle, cgroup)
        return await self._reserve(self._of(cgroup), bundle)

    async def find(self, bundle: Bundle) -> Endpoint | None:
        return await self._of(noted(bundle)).find(bundle)

    async def cleanup(self, bundle: Bundle) -> None:
        await self._of(noted(bundle)).cleanup(bundle)

    def _of(self, cgroup: str) -> Runtime:
        if cgroup not in self._monitors:
            self._monitors[cgroup] = self._make(inside(self._place, cgroup))
        return self._monitors[cgroup]

    async def _reserve(self, monitor: Runtime, bundle: Bundle) -> Endpoint:
        """The endpoint of a monitor that stays for as long as it lingers; one that was about to leave is replaced."""
        from moorage_api.messages import shim_v3
        from moorage_runtime_runc import removals  # half the monitor's code, for what few need

        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            endpoint = await monitor.start(bundle)
            try:
                request = shim_v3.ConnectRequest(id=bundle.id)
                await asyncio.to_thread(removals.ask, Path(endpoint.path), bundle, "Connect", request)
            except errors.Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(_PAUSE)
            else:
                return endpoint


def inside(place: Place, cgroup: str) -> Place:
    """Where the monitor of a cgroup lives, beside the node's."""
    digest = hashlib.sha256(cgroup.encode()).hexdigest()[:16]
    arguments = [*place.arguments, "--cgroup", cgroup, "--leave", "--linger", str(LINGER)]
    return replace(place, state=place.state.with_name(f"{place.state.name}-{digest}"), arguments=arguments)


def wanted(options: Payload | None) -> str:
    """The cgroup that options ask for, "" for none. Options that nobody can read are for the monitor to refuse."""
    if options is None or not options.value:
        return ""
    from moorage_runtime_runc import options as told

    return told.told(options, "shim_cgroup", "ShimCgroup")


def noted(bundle: Bundle) -> str:
    """The cgroup that was wanted when the bundle's shim was started."""
    try:
        return Path(bundle.path, FILE).read_text("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _note(bundle: Bundle, cgroup: str) -> None:
    """Raises as ``cgroups.named``, and errors.Unavailable when it cannot be written down."""
    from moorage_runtime_runc import cgroups

    cgroups.named(cgroup)
    try:
        files.replace(Path(bundle.path, FILE), cgroup.encode())
    except OSError as error:
        raise errors.Unavailable(f'bundle "{bundle.path}": {error}: unavailable') from error
