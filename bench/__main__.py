"""Run the benches named on the command line, or all of them."""

import sys
from collections.abc import Callable

from rich.console import Console

from bench import deliveries, fleet, loop, many, prefix, queue, sandbox, tools, turns, verdict

BENCHES: dict[str, Callable[[Console], None]] = {
    "deliveries": deliveries.run,
    "sandbox": sandbox.run,
    "tools": tools.run,
    "loop": loop.run,
    "turns": turns.run,
    "prefix": prefix.run,
    "many": many.run,
    "verdict": verdict.run,
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
        BENCHES[name](console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
