"""How long 100 MiB of layers take from the store to a registry on loopback."""

from __future__ import annotations

import asyncio
import random

from sides import Bench, Side, seconds
from tables import Row, median

from moorage_client.clients import connect
from moorage_sdk.transfers import Push
from moorage_sdk.transfers import Registry as Reach
from moorage_testkit import images
from moorage_testkit.images import File, Layout
from moorage_testkit.registries import Registry

NAME = "docker.io/library/bulk:bench"
LAYERS = 4
SIZE = 25 << 20
"""Bytes of a layer, which no compression makes smaller."""


def measure(bench: Bench) -> list[Row]:
    _provide(bench)
    registry = bench.stack.enter_context(Registry(bench.folder() / "registry"))

    def by_ctr(side: Side, number: int) -> float:
        goal = f"{registry.address}/{side.name}/ctr-{number}:1"  # a fresh repository has nothing yet
        return seconds(lambda: side.ctr("images", "push", "--plain-http", goal, NAME))

    def by_transfer(number: int) -> float:
        goal = f"{registry.address}/{bench.ours.name}/transfer-{number}:1"
        return seconds(lambda: asyncio.run(_transfer(bench.ours, goal)))

    by_ctr(bench.ours, -1), by_ctr(bench.theirs, -1)  # the first reads come from the disk
    ours, theirs = bench.in_turns(bench.options.pushes, by_ctr)
    inside = [by_transfer(number) for number in range(bench.options.pushes)]
    return [
        Row("ctr images push, 100 MiB in four layers", "s", median(ours), median(theirs), "not slower"),
        Row("the same inside the daemon, by Transfer", "s", median(inside), median(theirs), "not slower"),
    ]


def _provide(bench: Bench) -> None:
    """The image in both stores."""
    layout = Layout(bench.folder() / "layout")
    chance = random.Random(1)
    layers = [images.layer([File(f"bulk-{number}", chance.randbytes(SIZE))]) for number in range(LAYERS)]
    layout.tag(NAME, layout.image(layers, compressed=False).manifest)
    archive = images.archive(layout, layout.path.with_suffix(".tar"))
    for side in (bench.ours, bench.theirs):
        side.ctr("images", "import", "--no-unpack", str(archive))


async def _transfer(side: Side, goal: str) -> None:
    async with connect(side.daemon.address, side.name) as client:
        await client.transfers.push(Push(goal, NAME, registry=Reach(default_scheme="http")))
