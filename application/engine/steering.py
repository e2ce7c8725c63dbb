"""Steers how many messages of a route are at work at once, by how long they take."""

from __future__ import annotations

from domain.aimd import LatencyTarget
from domain.pipeline import Route

RECENT = 0.1
"""The weight of the last message in the latency that is shown."""


class Steering:
    """A route's concurrency: fixed, or with ``backpressure`` between 1 and its maximum as measured latency makes it.

    Messages that began before the last change say nothing about the limit that holds now, so they are not counted:
    one slow moment lowers the limit once. ``latency_ms`` is an exponentially weighted mean, None before the first.
    """

    __slots__ = ("_began", "_changed", "_samples", "_target", "_total_ms", "latency_ms", "limit", "most")

    def __init__(self, route: Route, now: float) -> None:
        aim = route.backpressure
        self._target = (
            None if aim is None else LatencyTarget.of(aim.target_latency_ms, most=aim.max_concurrency)
        )
        concurrency = route.inbound.concurrency
        self.limit = concurrency if self._target is None else self._target.limits.within(concurrency)
        self.most = concurrency if aim is None else aim.max_concurrency
        self.latency_ms: float | None = None
        self._began = self._changed = now
        self._samples = 0
        self._total_ms = 0.0

    def measured(self, began: float, ended: float, *, was_full: bool) -> bool:
        """Take a message's time into account (seconds of a clock); True when that ended a round of measuring."""
        took_ms = (ended - began) * 1000
        shown = self.latency_ms
        self.latency_ms = took_ms if shown is None else shown + (took_ms - shown) * RECENT
        if self._target is None or began < self._changed:
            return False
        self._samples += 1
        self._total_ms += took_ms
        return self._end_round(self._target, ended, was_full=was_full)

    def _end_round(self, target: LatencyTarget, now: float, *, was_full: bool) -> bool:
        samples = self._samples
        if samples < self.limit or not target.is_due(self.limit, samples=samples, seconds=now - self._began):
            return False
        mean = self._total_ms / samples
        limit = target.steered(self.limit, latency_ms=mean, was_full=was_full)
        if limit != self.limit:
            self.limit, self._changed = limit, now
        self._began, self._samples, self._total_ms = now, 0, 0.0
        return True
