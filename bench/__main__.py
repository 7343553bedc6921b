"""Run the benches named on the command line, or all of them, and print how long each took.

All of them take about a quarter of an hour on a machine with two cores that does nothing else.
"""

import sys
import time
from collections.abc import Callable

from rich.console import Console

from bench import candidates, deliveries, fleet, loop, many, prefix, queue, sandbox, tools, turns, verdict

BENCHES: dict[str, Callable[[Console], None]] = {
    "deliveries": deliveries.run,
    "sandbox": sandbox.run,
    "tools": tools.run,
    "loop": loop.run,
    "turns": turns.run,
    "prefix": prefix.run,
    "many": many.run,
    "verdict": verdict.run,
    "candidates": candidates.run,
    "queue": queue.run,
    "fleet": fleet.run,
}


def main() -> int:
    console = Console(width=120, highlight=False)
    chosen = sys.argv[1:] or list(BENCHES)
    unknown = set(chosen) - set(BENCHES)
    if unknown:
        console.print(f"unknown bench: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}")
        return 2
    for name in chosen:
        started = time.monotonic()
        BENCHES[name](console)
        console.print(f"[{name}: {time.monotonic() - started:.0f} s]\n", markup=False, style="dim")
    return 0


if __name__ == "__main__":
    sys.exit(main())
