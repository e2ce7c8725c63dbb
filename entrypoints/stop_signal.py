"""Ctrl-C and SIGTERM: the first asks politely, the second hurries, the third does not ask."""

from __future__ import annotations

import asyncio
import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """``requested`` is set by the first signal. One that comes before ``has_started`` cancels the starting task.

    ``hurried`` is set by the second: what may take long is then cut short, and all else still ends in good order. The
    third ends the process at once, as a power cut would, so a shutdown that hangs can be ended.
    """

    def __init__(self) -> None:
        self.requested, self.hurried = asyncio.Event(), asyncio.Event()
        self._starting: asyncio.Task[object] | None = None

    def listen(self) -> None:
        """Take over the signals, for the task that calls."""
        self._starting = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop)

    def has_started(self) -> None:
        """From now on whoever waits for ``requested`` stops what runs."""
        self._starting = None

    def _stop(self) -> None:
        if self.requested.is_set():
            self._hurry()
            return
        self.requested.set()
        if self._starting is not None:
            self._starting.cancel()

    def _hurry(self) -> None:
        """Not by an exception: it would tear at whatever happens to run, and what waits to be written would be lost."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        self.hurried.set()
        print("Still stopping; once more ends it as it is.", file=sys.stderr, flush=True)
