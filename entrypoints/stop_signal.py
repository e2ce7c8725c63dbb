"""Ctrl-C and SIGTERM: the first asks politely, the second does not."""

from __future__ import annotations

import asyncio
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """``requested`` is set by the first signal. One that comes before ``has_started`` cancels the starting task.

    A second signal acts as it would without us, so a shutdown that hangs can be ended.
    """

    def __init__(self) -> None:
        self.requested = asyncio.Event()
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
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
        self.requested.set()
        if self._starting is not None:
            self._starting.cancel()
