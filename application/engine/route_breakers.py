"""The circuit breakers of one route: one for each of its pipeline adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.circuit_breaker import BreakerRules, BreakerState, CircuitBreaker, tells_of_an_outage


class RouteBreakers:
    """Follows the results of each pipeline adapter of a route; ``now`` reads seconds of a clock that never goes back."""

    __slots__ = ("_breakers", "_now")

    def __init__(self, steps: int, rules: BreakerRules, now: Callable[[], float]) -> None:
        self._breakers = [CircuitBreaker(rules=rules)] * steps
        self._now = now

    @property
    def all(self) -> Sequence[CircuitBreaker]:
        """The breakers in the order of the pipeline adapters."""
        return self._breakers

    def observe(self, step: int, error: BaseException | None) -> bool:
        """Take one result into account; True when it opened or closed the breaker of its pipeline adapter."""
        before = self._breakers[step]
        if error is None:
            after = before.succeeded()
        elif tells_of_an_outage(error):
            after = before.failed(self._now())
        else:
            return False
        self._breakers[step] = after
        return after.state is not before.state

    @property
    def is_open(self) -> bool:
        """Whether at least one is open."""
        return any(breaker.state is BreakerState.OPEN for breaker in self._breakers)

    @property
    def is_probing(self) -> bool:
        """Whether at least one is half-open."""
        return any(breaker.state is BreakerState.HALF_OPEN for breaker in self._breakers)

    def seconds_to_probe(self) -> float | None:
        """In how many seconds the last of those that are open may be probed; None when none is open."""
        moments = [breaker.probes_at for breaker in self._breakers if breaker.probes_at is not None]
        return max(max(moments) - self._now(), 0.0) if moments else None

    def probe(self) -> None:
        """Make those half-open whose time has come."""
        now = self._now()
        self._breakers = [breaker.probing(now) for breaker in self._breakers]
