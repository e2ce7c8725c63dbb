"""The one thread in which the model runs."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

Job = tuple[int, int, Callable[[], Any] | None, "Future[Any]"]


class ModelThread:
    """Runs jobs one at a time, the smallest call first, so that a query waits for one batch at most.

    Several jobs at once would share the same cores and each take longer.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.PriorityQueue[Job] = queue.PriorityQueue()
        self._order = itertools.count()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, job: Callable[[], Any], *, priority: int) -> Future[Any]:
        """Queue a job; the lower the number the sooner it runs, and in order among equals."""
        future: Future[Any] = Future()
        self._jobs.put((priority, next(self._order), job, future))
        return future

    def stop(self) -> None:
        """End after the job that is running; the rest is cancelled. Blocks until then."""
        self._jobs.put((-1, next(self._order), None, Future()))
        self._thread.join()
        while not self._jobs.empty():
            self._jobs.get_nowait()[3].cancel()

    def _run(self) -> None:
        while True:
            _, _, job, future = self._jobs.get()
            if job is None:
                return
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
                future.set_exception(error)
