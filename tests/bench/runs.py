"""How long a container takes from command to end."""

from __future__ import annotations

from sides import BUSYBOX, Bench, Side, seconds
from tables import Row, percentile


def measure(bench: Bench) -> list[Row]:
    def once(side: Side, number: int) -> float:
        return 1000 * seconds(lambda: side.ctr("run", "--rm", BUSYBOX, f"run-{number}", "true"))

    ours, theirs = bench.in_turns(bench.options.pairs, once)
    aims = {50: "not slower", 95: ""}
    return [
        Row(f"ctr run --rm busybox true, p{percent}", "ms", percentile(ours, percent), percentile(theirs, percent), aim)
        for percent, aim in aims.items()
    ]
