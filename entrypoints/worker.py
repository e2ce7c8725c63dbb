"""`worker`: processes what servers start, without answering requests."""

from __future__ import annotations

import asyncio
import sys

from entrypoints.composition.adapters import ServerAdapters
from entrypoints.composition.running import running
from entrypoints.logs import configure_logging
from entrypoints.modes import require_for_working
from entrypoints.settings import Settings
from entrypoints.stop_signal import StopSignal


def run(settings: Settings) -> int:
    """Work until a signal comes; returns the exit code. Errors of ours are the caller's to tell."""
    require_for_working(settings)
    configure_logging(settings)
    try:
        asyncio.run(_work(settings))
    except asyncio.CancelledError:
        print("Stopped before it had started.", file=sys.stderr)
    return 0


async def _work(settings: Settings) -> None:
    stop = StopSignal()
    stop.listen()
    print("Starting …", file=sys.stderr, flush=True)
    adapters = ServerAdapters(settings=settings)
    async with running(settings, adapters, hurried=stop.hurried, is_server=False):
        stop.has_started()
        print("Working; a signal ends it when what is at work is done.", file=sys.stderr, flush=True)
        await stop.requested.wait()
        print("Stopping …", file=sys.stderr, flush=True)
