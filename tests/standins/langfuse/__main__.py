"""The stand-in as a process: prints one line with its addresses, then serves until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import Sequence

from tests.standins.langfuse import LangfuseStandIn, Settings


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.standins.langfuse", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=("events_only", "dual", "legacy"), default="events_only")
    parser.add_argument("--score-arrays", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--span-delay", type=float, default=0.0, help="seconds until spans can be read")
    parser.add_argument("--event-delay", type=float, default=0.0, help="seconds until scores can be read")
    parser.add_argument("--answer-delay", type=float, default=0.0, help="seconds that every answer waits")
    parser.add_argument("--count-only", action="store_true", help="count records without keeping them")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM."""
    settings = Settings(
        mode=options.mode,
        score_arrays=options.score_arrays,
        span_delay=options.span_delay,
        event_delay=options.event_delay,
        count_only=options.count_only,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    async with LangfuseStandIn(settings, host=options.host, port=options.port) as standin:
        standin.answer_delay = options.answer_delay
        keys = standin.project().keys
        print(
            f"langfuse stand-in {standin.url} control {standin.control_url} "
            f"keys {keys.public_key}:{keys.secret_key}",
            flush=True,
        )
        await stop.wait()


def main() -> None:
    """Run with uvloop where it is installed."""
    options = arguments()
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(options))


if __name__ == "__main__":
    main()
