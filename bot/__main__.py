"""Starts the `scenarist` command; Ctrl+C while it is still being loaded ends it without a word."""

import atexit
import gc
import signal
import sys

# While modules are loaded, nothing becomes garbage: to look for it takes a third of the time of a start.
# `bot.cli.lazy` switches the collector on again. At the end, everything goes with the process.
gc.disable()
atexit.register(gc.freeze)

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command. An interrupt is a `KeyboardInterrupt` from here on."""
    from bot.installation import CODE, NEXT_STEP, SAID, overwritten

    if overwritten():
        sys.stderr.write(f"{CODE}: {SAID} {NEXT_STEP}\n")
    try:
        from bot.cli.app import main as run
    except ImportError:
        if overwritten():
            sys.exit(2)
        raise

    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


if __name__ == "__main__":
    main()
