"""When a circuit breaker opens, probes and closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.circuit_breaker import BreakerRules, BreakerState, CircuitBreaker, tells_of_an_outage
from domain.errors import Conflict, Invalid, NotFound, Refused, Unavailable

RULES = BreakerRules()


def after(results: str, breaker: CircuitBreaker | None = None, *, now: float = 0.0) -> CircuitBreaker:
    """The breaker after some results: ``.`` went well, ``x`` failed."""
    breaker = breaker or CircuitBreaker()
    for result in results:
        breaker = breaker.succeeded() if result == "." else breaker.failed(now)
    return breaker


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ("x" * 9, BreakerState.CLOSED),
        ("x" * 10, BreakerState.OPEN),
        (".x" * 4 + ".", BreakerState.CLOSED),
        (".x" * 5, BreakerState.OPEN),
        ("." * 20 + "x" * 9, BreakerState.CLOSED),
        ("." * 20 + "x" * 10, BreakerState.OPEN),
        ("." * 1000 + "x" * 10, BreakerState.OPEN),
        (".." * 500 + "x.." * 300, BreakerState.CLOSED),
    ],
)
def test_it_opens_when_half_of_the_last_twenty_failed_and_at_least_ten_are_known(
    results: str, state: BreakerState
) -> None:
    assert after(results).state is state


@given(st.text("x.", max_size=200))
def test_it_opens_with_a_failure_only(results: str) -> None:
    breaker = CircuitBreaker()
    for result in results:
        before, breaker = breaker, after(result, breaker)
        if before.state is BreakerState.CLOSED and breaker.state is BreakerState.OPEN:
            assert result == "x"


def test_what_comes_late_to_an_open_breaker_changes_nothing() -> None:
    opened = after("x" * 10)
    assert after("x.x.", opened) is opened


def test_one_probe_that_goes_well_closes_it() -> None:
    """With nothing held against it but that it was open."""
    closed = after("x" * 10).probing(30.0).succeeded()
    assert (closed.state, closed.results, closed.failures) == (BreakerState.CLOSED, 0, 0)


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    breaker, now, pauses = after("x" * 10), 0.0, []
    for _ in range(8):
        assert breaker.probes_at is not None
        pauses.append(breaker.probes_at - now)
        now = breaker.probes_at
        breaker = breaker.probing(now).failed(now)
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]


def test_its_past_is_forgotten_when_a_whole_window_has_gone_well_enough() -> None:
    """Before that it opens for longer; after that as for the first time."""
    once = after("x" * 10).probing(30.0).succeeded()
    assert after("x" * 10, once).probes_at == 60.0
    assert after("." * 20 + "x" * 10, once).probes_at == 30.0


def test_it_does_not_probe_before_its_time() -> None:
    opened = after("x" * 10)
    assert opened.probing(29.9) is opened
    assert opened.probing(30.0).state is BreakerState.HALF_OPEN
    assert CircuitBreaker().probing(1e9).state is BreakerState.CLOSED


def test_a_breaker_in_good_health_costs_nothing() -> None:
    """No new value is made for each of millions of results."""
    well = after("." * 20)
    assert well.succeeded() is well


@pytest.mark.parametrize(
    "error", [Unavailable(), TimeoutError(), ConnectionError(), RuntimeError(), OSError()]
)
def test_what_may_be_an_outage_counts(error: Exception) -> None:
    assert tells_of_an_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        Invalid(),
        NotFound(),
        Conflict(),
        Refused(),
        KeyError("text"),
        TypeError(),
        ValueError(),
        AttributeError(),
    ],
)
def test_what_is_about_one_message_does_not(error: Exception) -> None:
    assert not tells_of_an_outage(error)


class BreakerMachine(RuleBasedStateMachine):
    """Any order of results and pauses, against a plain model: the list of results since the breaker closed."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = CircuitBreaker()
        self.now = 0.0
        self.model: list[bool] = []
        self.state = BreakerState.CLOSED
        self.openings = 0
        self.probes_at = 0.0

    @rule()
    def succeed(self) -> None:
        self.breaker = self.breaker.succeeded()
        if self.state is BreakerState.HALF_OPEN:
            self.state, self.model = BreakerState.CLOSED, []
        elif self.state is BreakerState.CLOSED:
            self.model = [*self.model, False][-20:]
            self.openings = 0 if len(self.model) == 20 else self.openings

    @rule()
    def fail(self) -> None:
        self.breaker = self.breaker.failed(self.now)
        if self.state is BreakerState.CLOSED:
            self.model = [*self.model, True][-20:]
        is_bad = len(self.model) >= 10 and sum(self.model) * 2 >= len(self.model)
        if self.state is BreakerState.HALF_OPEN or (self.state is BreakerState.CLOSED and is_bad):
            self.state = BreakerState.OPEN
            self.openings += 1
            self.probes_at = self.now + min(30 * 2 ** (self.openings - 1), 600)

    @rule(seconds=st.sampled_from([0.0, 1.0, 29.0, 30.0, 61.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.breaker = self.breaker.probing(self.now)
        if self.state is BreakerState.OPEN and self.now >= self.probes_at:
            self.state = BreakerState.HALF_OPEN

    @precondition(lambda self: self.state is BreakerState.OPEN)
    @rule()
    def stay_open(self) -> None:
        assert self.breaker.probing(self.probes_at - 0.001).state is BreakerState.OPEN

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        assert self.breaker.state is self.state
        assert self.breaker.openings == self.openings

    @invariant()
    def it_can_always_be_asked_again_within_ten_minutes(self) -> None:
        if self.breaker.state is BreakerState.OPEN:
            assert self.breaker.probes_at is not None
            assert self.breaker.probes_at - self.now <= RULES.longest_seconds
        else:
            assert self.breaker.probes_at is None

    @invariant()
    def a_closed_breaker_counts_what_it_saw(self) -> None:
        if self.breaker.state is BreakerState.CLOSED:
            assert (self.breaker.results, self.breaker.failures) == (len(self.model), sum(self.model))


TestBreakerMachine = BreakerMachine.TestCase
