"""A circuit breaker: when most of what a pipeline adapter does fails, stop asking for a while, then try one.

Sources: M. Nygard, "Release It!" (2007), and the count-based sliding window of resilience4j. Time is an argument:
seconds of a clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.verdict import Verdict, verdict_on

DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError)
"""What Python raises where a program and its data do not fit together."""


class BreakerState(StrEnum):
    """Closed lets all through, open none, half-open one at a time to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRules:
    """When a breaker opens and for how long.

    It opens when at least ``threshold`` of the last ``window`` results are failures, of at least ``least_results``.
    It stays open for ``open_seconds``, twice as long each time a probe fails, up to ``longest_seconds``.
    """

    window: int = 20
    threshold: float = 0.5
    least_results: int = 10
    open_seconds: float = 30.0
    longest_seconds: float = 600.0

    def pause(self, openings: int) -> float:
        """Seconds to stay open for the n-th time in a row."""
        longest = max(self.open_seconds, self.longest_seconds)
        return min(self.open_seconds * 2.0 ** min(openings - 1, 62), longest)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitBreaker:
    """The state of one breaker. ``history`` has a bit for each of the last ``results`` results, 1 for a failure.

    ``openings`` counts how often it opened in a row: it is forgotten when a whole window has gone well enough, so
    that something that works for a moment now and then is asked ever more rarely.
    """

    rules: BreakerRules = BreakerRules()
    state: BreakerState = BreakerState.CLOSED
    history: int = 0
    results: int = 0
    openings: int = 0
    probes_at: float | None = None

    @property
    def failures(self) -> int:
        """How many of the results that are remembered are failures."""
        return self.history.bit_count()

    def succeeded(self) -> CircuitBreaker:
        """After a result that is no failure: a probe closes the breaker; what comes late to an open one is ignored."""
        if self.state is BreakerState.OPEN:
            return self
        if self.state is BreakerState.HALF_OPEN:
            return CircuitBreaker(rules=self.rules, openings=self.openings)
        if not self.history and not self.openings and self.results == self.rules.window:
            return self
        after = self._with(0)
        is_over = after.openings and after.results == self.rules.window
        return replace(after, openings=0) if is_over else after

    def failed(self, now: float) -> CircuitBreaker:
        """After a failure: one too many opens the breaker, and so does that of a probe."""
        if self.state is BreakerState.OPEN:
            return self
        if self.state is BreakerState.HALF_OPEN:
            return self._opened(now, self)
        after = self._with(1)
        rules = self.rules
        is_enough = after.results >= min(rules.least_results, rules.window)
        is_too_much = after.failures >= rules.threshold * after.results
        return self._opened(now, after) if is_enough and is_too_much else after

    def probing(self, now: float) -> CircuitBreaker:
        """Half-open when it has been open for long enough."""
        if self.probes_at is None or now < self.probes_at:
            return self
        return replace(self, state=BreakerState.HALF_OPEN, probes_at=None)

    def _with(self, bit: int) -> CircuitBreaker:
        window = self.rules.window
        return replace(
            self,
            history=(self.history << 1 | bit) & ((1 << window) - 1),
            results=min(self.results + 1, window),
        )

    def _opened(self, now: float, counted: CircuitBreaker) -> CircuitBreaker:
        openings = self.openings + 1
        probes_at = now + self.rules.pause(openings)
        return replace(counted, state=BreakerState.OPEN, openings=openings, probes_at=probes_at)


def tells_of_an_outage(error: BaseException) -> bool:
    """Whether an error says that what a pipeline adapter depends on may be failing, rather than about one message.

    Terminal errors (``domain.verdict``) are about a message. So are those that Python raises where a program and its
    data do not fit: asking more rarely would not mend them. All others count: Unavailable, time-outs, connections,
    and what foreign libraries raise.
    """
    return verdict_on(error) is not Verdict.TERMINAL and not isinstance(error, DEFECTS)
