"""How long Debian's minbase takes from a registry on loopback to an unpacked snapshot."""

from __future__ import annotations

import asyncio

from sides import Bench, Side, seconds
from tables import Row, median

from moorage_client.clients import connect
from moorage_sdk import platforms
from moorage_sdk.transfers import Pull, Unpack
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import images
from moorage_testkit.images import Layout
from moorage_testkit.registries import Registry


def measure(bench: Bench) -> list[Row]:
    name = _publish(bench)

    def by_ctr(side: Side, number: int) -> float:
        took = seconds(lambda: side.ctr("images", "pull", "--plain-http", name))
        side.ctr("images", "rm", "--sync", name)
        return took

    def by_transfer(number: int) -> float:
        took = seconds(lambda: asyncio.run(_transfer(bench.ours, name)))
        bench.ours.ctr("images", "rm", "--sync", name)
        return took

    by_ctr(bench.ours, 0), by_ctr(bench.theirs, 0)  # the registry's first answers come from the disk
    ours, theirs = bench.in_turns(bench.options.pulls, by_ctr)
    inside = [by_transfer(number) for number in range(bench.options.pulls)]
    return [
        Row("ctr images pull, Debian minbase", "s", median(ours), median(theirs), "not slower"),
        Row("the same inside the daemon, by Transfer", "s", median(inside), median(theirs), "not slower"),
    ]


def _publish(bench: Bench) -> str:
    layout = Layout(bench.folder() / "layout")
    layout.tag("minbase", images.debian(layout, bench.options.cache))
    registry = bench.stack.enter_context(Registry(bench.folder() / "registry"))
    name = f"{registry.address}/debian:minbase"
    images.push(layout, "minbase", name)
    return name


async def _transfer(side: Side, name: str) -> None:
    wanted = Pull(name, unpacks=(Unpack(platforms.host()),), registry=Reach(default_scheme="http"))
    async with connect(side.daemon.address, side.name) as client:
        await client.transfers.pull(wanted)
