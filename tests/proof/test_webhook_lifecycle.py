"""A delivery's life under everything that can be done to it, against a model: sent at least once, settled once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from application.ports.webhook_queue import ClaimedDelivery, Room
from domain.webhooks.delivery import Answer, DeliveryFilter, DeliveryState
from domain.webhooks.outcome import Failure, Outcome
from tests.contracts.webhooks import an_event, at, memory_desk, postgres_desk, recorded
from tests.databases import fresh_database

PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED
DEAD, SKIPPED = DeliveryState.DEAD, DeliveryState.SKIPPED
LEASE = 100.0
ANSWERS = {
    Outcome.DELIVERED: Answer(status=204),
    Outcome.RETRY: Answer(failure=Failure.TIMEOUT),
    Outcome.DEAD: Answer(status=400),
}


@dataclass
class Expected:
    """What the model knows of a delivery; moments are seconds."""

    state: DeliveryState
    due_at: float | None
    attempts: int = 0
    failures: int = 0
    token: UUID | None = None
    told: set[int] = field(default_factory=set)

    @property
    def seen(self) -> tuple[object, ...]:
        """What a person is shown of it."""
        return self.state, self.due_at, self.attempts, self.failures, sorted(self.told)


class DeliveryLifecycle(RuleBasedStateMachine):
    """Several workers, a clock, an operator; after every rule the store must hold what the model says."""

    postgres_url: str | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner, self.stack = asyncio.Runner(), AsyncExitStack()
        self.now = 0.0
        self.model: dict[UUID, Expected] = {}
        self.held: list[ClaimedDelivery] = []
        self.spent: list[tuple[ClaimedDelivery, Outcome, float]] = []
        self.is_enabled = True
        self.failing_since: float | None = None

    @initialize(is_ordered=st.booleans())
    def open(self, is_ordered: bool) -> None:
        self.runner.run(self._open(is_ordered))

    async def _open(self, is_ordered: bool) -> None:
        if self.postgres_url is None:
            self.desk = memory_desk()
        else:
            self.desk = postgres_desk(await self.stack.enter_async_context(fresh_database(self.postgres_url)))
        self.subscription = await self.desk.subscribed(is_ordered=is_ordered)

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    @rule(count=st.integers(1, 3))
    def something_happens(self, count: int) -> None:
        self.runner.run(self._happen(count))

    async def _happen(self, count: int) -> None:
        for _ in range(count):
            (delivery,) = await self.desk.deliveries.publish(an_event(seconds=self.now))
            self.model[delivery] = Expected(PENDING, self.now) if self.is_enabled else Expected(SKIPPED, None)
        await self._compare()

    @rule(seconds=st.sampled_from([1.0, 59.0, LEASE, 300.0, 50_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(most=st.integers(1, 3))
    def a_worker_claims(self, most: int) -> None:
        self.runner.run(self._claim(most))

    async def _claim(self, most: int) -> None:
        token, now = uuid4(), self.now
        room = Room(subscription_id=self.subscription.id, most=most, is_ordered=self.subscription.is_ordered)
        claims = await self.desk.queue.claim([room], token=token, now=at(now), until=at(now + LEASE))
        assert {claim.delivery.id for claim in claims} == set(self._claimable(most))
        for claim in claims:
            expected = self.model[claim.delivery.id]
            expected.due_at, expected.token = now + LEASE, token
            expected.attempts += 1
        self.held += claims
        await self._compare()

    def _claimable(self, most: int) -> list[UUID]:
        pending = [one for one, expected in self.model.items() if expected.state is PENDING]
        if self.subscription.is_ordered:
            pending, most = pending[:1], 1
        due = [one for one in pending if (self.model[one].due_at or 0.0) <= self.now]
        # What was published together is due at the same moment, and comes in the order of its position.
        return sorted(due, key=lambda one: self.model[one].due_at or 0.0)[:most] if self.is_enabled else []

    @rule(place=st.integers(0, 100), outcome=st.sampled_from(list(ANSWERS)))
    def an_answer_comes(self, place: int, outcome: Outcome) -> None:
        if self.held:
            claim = self.held.pop(place % len(self.held))
            self.spent.append((claim, outcome, self.now))
            self.runner.run(self._record(claim, outcome, self.now))

    @rule(place=st.integers(0, 100))
    def a_record_comes_again(self, place: int) -> None:
        """Its outcome was unknown."""
        if self.spent:
            self.runner.run(self._record(*self.spent[place % len(self.spent)]))

    @rule(place=st.integers(0, 100))
    def a_worker_dies(self, place: int) -> None:
        """What it held it never tells of."""
        if self.held:
            del self.held[place % len(self.held)]

    async def _record(self, claim: ClaimedDelivery, outcome: Outcome, now: float) -> None:
        expected = self.model[claim.delivery.id]
        record = recorded(claim, ANSWERS[outcome], now)
        (standing,) = await self.desk.queue.record([record])
        expected.told.add(claim.delivery.attempts)
        is_open = expected.state is PENDING or (
            expected.state is SKIPPED and record.delivery.state is DELIVERED
        )
        if is_open and expected.token == claim.token:
            after = record.delivery
            expected.state, expected.failures, expected.token = after.state, after.failures, None
            expected.due_at = None if after.due_at is None else (after.due_at - at(0)).total_seconds()
        if outcome is Outcome.DELIVERED:
            self.failing_since = None
        elif self.failing_since is None:
            self.failing_since = now
        told = None if record.delivery.state is DELIVERED else self.failing_since
        assert standing.failing_since == (None if told is None else at(told))
        await self._compare()

    @rule()
    def it_is_disabled_or_enabled(self) -> None:
        self.runner.run(self._switch())

    async def _switch(self) -> None:
        before = await self.desk.subscriptions.get(self.subscription.id)
        self.is_enabled = not before.is_enabled
        after = before.enabled(at=at(self.now)) if self.is_enabled else before.disabled("x", at=at(self.now))
        await self.desk.subscriptions.replace(after, expected_version=before.version)
        if self.is_enabled:
            self.failing_since = None
            return
        for one, expected in self.model.items():
            if expected.state is PENDING:
                self.model[one] = replace(expected, state=SKIPPED, due_at=None)
        await self._compare()

    @rule(
        states=st.sets(st.sampled_from([DELIVERED, DEAD, SKIPPED]), min_size=1),
        limit=st.sampled_from([1, 100]),
    )
    def an_operator_sends_again(self, states: set[DeliveryState], limit: int) -> None:
        self.runner.run(self._requeue(frozenset(states), limit))

    async def _requeue(self, states: frozenset[DeliveryState], limit: int) -> None:
        wanted = DeliveryFilter(states=states)
        count = await self.desk.deliveries.requeue(wanted, limit=limit, now=at(self.now))
        meant = [one for one, expected in self.model.items() if expected.state in states]
        meant = meant[:limit] if self.is_enabled else []
        assert count == len(meant)
        for one in meant:
            expected = self.model[one]
            expected.state, expected.due_at, expected.failures, expected.token = PENDING, self.now, 0, None
        await self._compare()

    async def _compare(self) -> None:
        page = await self.desk.deliveries.list(DeliveryFilter(), limit=1000)
        seen = {}
        for one in page.deliveries:
            record = await self.desk.deliveries.get(one.id)
            due = None if one.due_at is None else (one.due_at - at(0)) / timedelta(seconds=1)
            numbers = [attempt.number for attempt in record.attempts]
            seen[one.id] = (one.state, due, one.attempts, one.failures, numbers)
        assert seen == {one: expected.seen for one, expected in self.model.items()}
        subscription = await self.desk.subscriptions.get(self.subscription.id)
        since = self.failing_since
        assert subscription.failing_since == (None if since is None else at(since))


def lived(examples: int, postgres_url: str | None = None) -> None:
    """Let so many lives be lived."""
    machine = type("Lived", (DeliveryLifecycle,), {"postgres_url": postgres_url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_deliveries_live_as_the_model_says_in_memory() -> None:
    """Whatever is done to them, and whoever dies."""
    lived(60)


@pytest.mark.slow
def test_deliveries_live_as_the_model_says_in_the_database(embedded_postgres_url: str) -> None:
    """The same."""
    lived(12, embedded_postgres_url)


@pytest.mark.soak
def test_deliveries_live_as_the_model_says_for_long(embedded_postgres_url: str) -> None:
    """The same, and more of it."""
    lived(500, embedded_postgres_url)
