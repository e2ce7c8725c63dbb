"""Events of executions and messages, written in the transaction of what they tell of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from adapters.postgres.database import Database
from adapters.postgres.dead_letters import PostgresDeadLetters
from adapters.postgres.execution_ledger import PostgresExecutionLedger
from adapters.postgres.ledger import PostgresLedger
from domain.dead_letter import DeadLetterFilter
from domain.errors import FactflowError
from domain.execution import Execution, ExecutionStatus
from domain.json import JsonObject
from domain.message import Claim, Outcome, correlation_id
from domain.storage import StageObject, StoredObject
from domain.webhooks.delivery import DeliveryFilter, DeliveryState
from domain.webhooks.event import WebhookEvent, body_of
from domain.webhooks.event_types import EVENT_TYPES
from domain.webhooks.filters import EventFilter
from tests.contracts.ledgers import LATER, NOW, Ledgers, children, init_message, new_execution
from tests.contracts.webhooks import Desk, disabled, postgres_desk
from tests.databases import fresh_database

pytestmark = pytest.mark.slow
FAILURE: JsonObject = {
    "code": "unreadable",
    "message": "no PDF" + "!" * 9000,
    "type": "Unreadable",
    "adapter_name": "reader",
    "adapter_index": 1,
    "stage_name": "text",
    "traceback": "x" * 50_000,
}


@dataclass(frozen=True, slots=True)
class Service:
    """The ledger and the webhooks of one database."""

    database: Database
    ledgers: Ledgers
    desk: Desk

    async def told(self) -> list[WebhookEvent]:
        """The events that there are deliveries of, in their order."""
        page = await self.desk.deliveries.list(DeliveryFilter(), limit=1000)
        return [(await self.desk.deliveries.get(one.id)).event for one in reversed(page.deliveries)]

    async def ended(self, outcome: Outcome = Outcome.DONE, **fields: object) -> Execution:
        """An execution whose one message has settled."""
        execution = await self.ledgers.started()
        await self.ledgers.settled(await self.ledgers.claimed_init(execution), outcome, **fields)
        return execution


@pytest.fixture
async def service(postgres_url: str) -> AsyncIterator[Service]:
    async with fresh_database(postgres_url) as database:
        ledgers = Ledgers(PostgresLedger(database), PostgresExecutionLedger(database))
        yield Service(database, ledgers, postgres_desk(database))


async def test_nothing_is_kept_while_nobody_wants_to_know(service: Service) -> None:
    """Nor for those who want to know something else."""
    await service.desk.subscribed("execution.cancelled")
    await service.ended()
    async with service.database.connection() as connection:
        found = await (await connection.execute("SELECT count(*) FROM webhook_event")).fetchone()
    assert found == (0,)


async def test_every_change_of_an_execution_is_told(service: Service) -> None:
    """Once, with what it came to."""
    await service.desk.subscribed(*(name for name in EVENT_TYPES if name.startswith("execution.")))
    done = await service.ended()
    failed = await service.ended(Outcome.DEAD, error=FAILURE)
    stopped = await service.ledgers.started()
    await service.ledgers.executions.conclude(stopped.id, ExecutionStatus.CANCELLED, now=LATER)
    lost = await service.ledgers.started()
    await service.ledgers.executions.sweep(live_owners=[], now=LATER, kept=[], begun_by=LATER)
    told = await service.told()
    assert [(one.type.partition(".")[2], one.execution_id) for one in told] == [
        ("started", done.id),
        ("completed", done.id),
        ("started", failed.id),
        ("failed", failed.id),
        ("started", stopped.id),
        ("cancelled", stopped.id),
        ("started", lost.id),
        ("interrupted", lost.id),
    ]
    completed = told[1]
    assert completed.config_id == done.config_id
    assert completed.data["counts"] == {"outstanding": 0, "done": 1, "skipped": 0, "dead": 0, "cancelled": 0}
    error = told[3].data["error"]
    assert isinstance(error, dict)
    assert (error["code"], len(str(error["message"]))) == ("unreadable", 2000)
    for event in told:
        body = body_of(event)
        wanted = EVENT_TYPES[event.type].example["data"]
        assert isinstance(wanted, dict)
        assert set(json.loads(body)["data"]) == set(wanted)
        assert len(body) < 20_000


async def test_a_reopened_execution_has_started_again(service: Service) -> None:
    """In its next generation."""
    await service.desk.subscribed("execution.started")
    execution = await service.ledgers.started()
    claim = await service.ledgers.claimed_init(execution)
    (child,) = born = children(claim, "a")
    await service.ledgers.settled(claim, children=born)
    (claim,) = await service.ledgers.claimed(child.id)
    await service.ledgers.settled(claim, Outcome.DEAD, error=FAILURE)
    await PostgresDeadLetters(service.database).redrive(
        execution.id, DeadLetterFilter(), limit=10, places=None
    )
    assert [one.data["generation"] for one in await service.told()] == [1, 2]


async def test_what_fails_and_what_dies_is_told_with_its_place(service: Service) -> None:
    """Each failed attempt, and the death of the message once."""
    await service.desk.subscribed("lineage.failed", "message.dead_lettered")
    execution = await service.ledgers.started()
    claim = await service.ledgers.claimed_init(execution)
    await service.ledgers.settled(claim, Outcome.RETRY, error=FAILURE, not_before=NOW)
    again = await service.ledgers.claimed_init(execution)
    await service.ledgers.settled(again, Outcome.RELEASE, not_before=NOW)
    last = await service.ledgers.claimed_init(execution)
    await service.ledgers.settled(last, Outcome.DEAD, error=FAILURE)
    told = await service.told()
    assert [one.type for one in told] == ["lineage.failed", "lineage.failed", "message.dead_lettered"]
    assert {(one.route_id, one.adapter_name, one.execution_id) for one in told} == {
        ("first", "reader", execution.id)
    }
    attempts: list[Claim] = [claim, last, last]
    for event, attempt in zip(told, attempts, strict=True):
        data = json.loads(body_of(event))["data"]
        assert UUID(data["correlation_id"]) == correlation_id(attempt.message.id, 1, attempt.attempt)
        wanted = EVENT_TYPES[event.type].example["data"]
        assert isinstance(wanted, dict)
        assert set(data) == set(wanted)


async def test_what_no_pipeline_adapter_failed_at_has_no_lineage(service: Service) -> None:
    """It is dead all the same."""
    await service.desk.subscribed("lineage.failed", "message.dead_lettered")
    await service.ended(Outcome.DEAD, error={"code": "payload_rejected", "message": "NUL", "type": "X"})
    assert [one.type for one in await service.told()] == ["message.dead_lettered"]


async def test_filters_choose_by_config_execution_route_and_pipeline_adapter(service: Service) -> None:
    """All of what is given."""
    config, execution = uuid4(), uuid4()
    every = EventFilter(config_id=config, execution_id=execution, route_id="first", adapter_name="reader")
    meant = await service.desk.subscribed("message.dead_lettered", filters=every)
    for filters in (
        EventFilter(config_id=uuid4()),
        EventFilter(execution_id=uuid4()),
        EventFilter(route_id="second"),
        EventFilter(adapter_name="writer"),
    ):
        await service.desk.subscribed("message.dead_lettered", filters=filters)
    started = new_execution(id=execution, config_id=config)
    await service.ledgers.executions.start(started, init_message(started))
    await service.ledgers.settled(await service.ledgers.claimed_init(started), Outcome.DEAD, error=FAILURE)
    page = await service.desk.deliveries.list(DeliveryFilter(), limit=10)
    assert [one.subscription_id for one in page.deliveries] == [meant.id]


async def test_an_event_is_undone_with_what_it_tells_of(service: Service) -> None:
    """None is invented: it is in the same transaction."""
    await service.desk.subscribed("execution.started")
    await service.ledgers.started(tag="taken")
    with pytest.raises(FactflowError):
        await service.ledgers.started(tag="taken")
    assert len(await service.told()) == 1


async def test_what_happens_while_disabled_is_skipped(service: Service) -> None:
    """And can be sent later."""
    kept = await service.desk.subscribed()
    await service.desk.subscriptions.replace(disabled(kept), expected_version=1)
    await service.ended()
    assert await service.desk.states() == [DeliveryState.SKIPPED]
    back = disabled(kept).enabled(at=LATER)
    await service.desk.subscriptions.replace(back, expected_version=2)
    since = DeliveryFilter(subscription_id=kept.id, since=NOW - timedelta(days=1))
    assert await service.desk.deliveries.requeue(since, limit=10, now=LATER) == 1
    assert len(await service.desk.claim(back, now=60)) == 1


async def settled_with_object(
    service: Service, claim: Claim, outcome: Outcome = Outcome.DONE, name: str = "a", **fields: object
) -> StageObject:
    """What the settlement of a claim tells of as kept."""
    message = claim.message
    key = f"executions/{message.execution_id}/{message.route_id}/text/{message.id}{name}"
    kept = StageObject(
        stored=StoredObject(key=key, size=7, content_type="text/plain", modified_at=NOW, checksum="ab"),
        execution_id=message.execution_id,
        route_id=message.route_id,
        stage="text",
        message_id=message.id,
        adapter_name="reader",
        correlation_id=correlation_id(message.id, 0, claim.attempt),
    )
    await service.ledgers.settled(claim, outcome, objects=[kept, kept], **fields)
    return kept


async def test_what_a_stage_has_kept_is_told_once_in_the_settlement(service: Service) -> None:
    """Before the end that the same settlement brings; a second attempt that finds the object says nothing new."""
    await service.desk.subscribed("storage.object_created", "execution.completed")
    execution = await service.ledgers.started()
    claim = await service.ledgers.claimed_init(execution)
    kept = await settled_with_object(service, claim, Outcome.RETRY, not_before=NOW, error=FAILURE)
    again = await service.ledgers.claimed_init(execution)
    await settled_with_object(service, again)
    created, completed = await service.told()
    assert (created.type, completed.type) == ("storage.object_created", "execution.completed")
    assert (created.execution_id, created.config_id) == (execution.id, execution.config_id)
    assert (created.route_id, created.adapter_name) == ("first", "reader")
    body = json.loads(body_of(created))
    schema = EVENT_TYPES["storage.object_created"].schema["properties"]["data"]  # type: ignore[index, call-overload]
    assert set(schema["required"]) == set(body["data"])  # type: ignore[arg-type, index, call-overload]
    assert body["data"]["key"] == kept.stored.key
    assert body["data"]["config_id"] == str(execution.config_id)
    assert body["data"]["links"]["object"] == f"/api/v1/storage/objects/{kept.stored.key}"


async def test_what_a_claim_that_no_longer_holds_has_kept_is_not_told(service: Service) -> None:
    """The one that holds will tell of it; what is dead tells of it too."""
    await service.desk.subscribed("storage.object_created")
    execution = await service.ledgers.started()
    claim = await service.ledgers.claimed_init(execution)
    await settled_with_object(service, replace(claim, token=uuid4()))
    await settled_with_object(service, replace(claim, token=uuid4()), Outcome.DEAD, error=FAILURE)
    assert await service.told() == []
    await settled_with_object(service, claim, Outcome.DEAD, error=FAILURE)
    assert [event.type for event in await service.told()] == ["storage.object_created"]


async def test_objects_are_told_of_to_those_alone_whose_filters_hold(service: Service) -> None:
    """And nothing is kept while nobody wants to know."""
    execution = await service.ledgers.started()
    claim = await service.ledgers.claimed_init(execution)
    await service.desk.subscribed("storage.object_created", filters=EventFilter(config_id=uuid4()))
    await service.desk.subscribed("storage.object_created", filters=EventFilter(route_id="second"))
    wanting = EventFilter(config_id=execution.config_id, route_id="first", adapter_name="reader")
    kept = await service.desk.subscribed("storage.object_created", filters=wanting)
    await settled_with_object(service, claim)
    page = await service.desk.deliveries.list(DeliveryFilter(), limit=10)
    assert [one.subscription_id for one in page.deliveries] == [kept.id]


async def test_two_who_settle_the_same_objects_do_not_wait_for_each_other_for_ever(service: Service) -> None:
    """A worker that was thought dead comes back in the moment in which another settles."""
    await service.desk.subscribed("storage.object_created")
    for _ in range(10):
        execution = await service.ledgers.started()
        claim = await service.ledgers.claimed_init(execution)
        zombie = replace(claim, token=uuid4())
        outcomes = (Outcome.DONE, Outcome.SKIPPED, Outcome.DEAD)
        await asyncio.gather(
            settled_with_object(service, claim),
            *(settled_with_object(service, zombie, outcome) for outcome in outcomes),
        )
    assert len(await service.told()) == 10
