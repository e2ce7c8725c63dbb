"""What the delivery worker does, in no time."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.memory.webhook_subscriptions import MemoryWebhookSubscriptions
from application.background_jobs import JobStatus
from application.ports.webhook_sender import WebhookRequest
from application.webhooks.delivery_worker import WorkerSettings
from application.webhooks.redeliveries import NoDeliveriesNamed, RedeliveryNotFound
from domain.outbound import DestinationRefused
from domain.webhooks.delivery import Answer, DeliveryFilter, DeliveryPending, DeliveryState
from domain.webhooks.endpoint_health import DisableRules
from domain.webhooks.outcome import Failure
from domain.webhooks.subscription import (
    Subscription,
    SubscriptionChanged,
    SubscriptionDisabled,
    SubscriptionNotFound,
)
from tests.unit.webhook_workers import URL, working

OK, BROKEN, GONE = Answer(status=200), Answer(status=500), Answer(status=410)
PENDING, DELIVERED = DeliveryState.PENDING, DeliveryState.DELIVERED
DEAD, SKIPPED = DeliveryState.DEAD, DeliveryState.SKIPPED


async def test_an_event_is_delivered_signed() -> None:
    """In both ways, and told as the catalogue says."""
    async with working() as post:
        secret = "whsec_" + "c2VjcmV0" * 6
        subscription = await post.subscribed(secret=secret, headers={"X-Key": "k3y"})
        (event,) = await post.happened()
        (request,) = post.sent()
        (delivery,) = post.of(subscription)
        assert delivery.state is DELIVERED
        assert json.loads(request.body)["type"] == event.type
        # The library compares with the present, and this clock stands at the beginning of the year.
        with pytest.raises(WebhookVerificationError, match="too old"):
            Webhook(secret).verify(request.body, dict(request.headers))
        assert request.headers["webhook-id"] == request.headers["X-Factflow-Delivery"] == str(delivery.id)
        record = await post.deliveries.get(delivery.id)
        shown = record.attempts[0].request_headers
        assert {shown["X-Key"], shown["webhook-signature"], shown["X-Factflow-Signature"]} == {"***"}
        assert shown["X-Factflow-Event"] == "execution.completed"


async def test_the_whole_schedule_takes_fourteen_hours_and_no_time() -> None:
    """1 min, 5 min, 30 min, 2 h, 12 h; the sixth failure is the end. The id stays, the signature does not."""
    async with working(BROKEN) as post:
        subscription = await post.subscribed()
        await post.happened()
        began = post.clock.now()
        for wait, attempts in ((1, 2), (5, 3), (30, 4), (120, 5), (720, 6)):
            assert len(post.sent()) == attempts - 1
            assert post.of(subscription)[0].state is PENDING
            await post.pass_minutes(wait)
            assert len(post.sent()) == attempts
        (delivery,) = post.of(subscription)
        assert (delivery.state, delivery.failures, delivery.attempts) == (DEAD, 6, 6)
        assert post.clock.now() - began == timedelta(minutes=876)
        assert len({request.headers["webhook-id"] for request in post.sent()}) == 1
        assert len({request.headers["webhook-signature"] for request in post.sent()}) == 6
        assert [one.number for one in (await post.deliveries.get(delivery.id)).attempts] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(status=204), DELIVERED),
        (Answer(status=301), DEAD),
        (Answer(status=400), DEAD),
        (Answer(status=404), DEAD),
        (Answer(status=408), PENDING),
        (Answer(status=425), PENDING),
        (Answer(status=429), PENDING),
        (Answer(status=503), PENDING),
        *((Answer(failure=one), PENDING) for one in Failure if one is not Failure.DESTINATION_REFUSED),
        (Answer(failure=Failure.DESTINATION_REFUSED), DEAD),
    ],
)
async def test_each_answer_has_its_outcome(answer: Answer, state: DeliveryState) -> None:
    """After one attempt."""
    async with working(answer) as post:
        subscription = await post.subscribed()
        await post.happened()
        assert [one.state for one in post.of(subscription)] == [state]


async def test_gone_disables_at_once_and_is_told() -> None:
    """What was pending is skipped, and so is what comes."""
    async with working(GONE) as post:
        gone = await post.subscribed(is_ordered=True)
        other = await post.subscribed("https://example.org/other", "webhook.disabled")
        await post.happened(3)
        await post.happened()
        assert [one.state for one in post.of(gone)] == [DEAD, SKIPPED, SKIPPED, SKIPPED]
        told = await post.subscriptions.get(gone.id)
        assert (told.is_enabled, told.disabled_reason) == (False, "the endpoint answered 410 Gone")
        assert [one.event_type for one in post.of(other)] == ["webhook.disabled"]
        assert len(post.sent()) == 1


async def test_what_was_taken_up_for_an_endpoint_that_is_gone_is_not_sent() -> None:
    """But for what was under way already."""
    async with working(GONE) as post:
        gone = await post.subscribed()
        await post.happened(200)
        assert len(post.sent()) <= 10
        states = [one.state for one in post.of(gone)]
        assert (states.count(DEAD), states.count(SKIPPED)) == (len(post.sent()), 200 - len(post.sent()))


async def test_retry_after_is_honoured_for_the_whole_endpoint() -> None:
    """Nothing is sent to it before; the others do not wait."""
    later = Answer(status=429, headers={"retry-after": "600"})
    async with working(later, OK) as post:
        subscription = await post.subscribed()
        await post.subscribed("https://example.org/other")
        await post.happened()
        await post.happened()
        assert len(post.sent()) == 1
        assert len(post.sent("https://example.org/other")) == 2
        await post.pass_minutes(9)
        assert len(post.sent()) == 1
        await post.pass_minutes(2)
        assert {one.state for one in post.of(subscription)} == {DELIVERED}


async def test_a_hanging_endpoint_holds_up_only_itself() -> None:
    """And never has more than its share of requests out."""
    async with working() as post:
        post.answering.gates[URL] = asyncio.Event()
        hanging = await post.subscribed()
        other = await post.subscribed("https://example.org/other")
        await post.happened(100)
        assert len(post.sent()) == 10
        assert {one.state for one in post.of(other)} == {DELIVERED}
        post.answering.gates[URL].set()
        await post.pass_minutes(1)
        assert {one.state for one in post.of(hanging)} == {DELIVERED}


async def test_an_endpoint_that_is_down_is_asked_ever_less() -> None:
    """What waits meanwhile uses up no attempts, and is delivered when it is back."""
    async with working(BROKEN) as post:
        subscription = await post.subscribed()
        await post.happened(200)
        await post.pass_minutes(1)
        tried = len(post.sent())
        assert tried < 30
        assert sum(one.failures for one in post.of(subscription)) <= tried
        post.answering.by_url[URL] = [OK]
        await post.pass_minutes(60)
        assert {one.state for one in post.of(subscription)} == {DELIVERED}


async def test_a_worker_that_leaves_has_written_down_what_it_sent() -> None:
    """Though much is gathered before it is written."""
    async with working(settings=WorkerSettings(record_seconds=0.3, poll_seconds=60)) as post:
        subscription = await post.subscribed()
        await post.happened(20)
        await post.happened(20)  # these wait for the pause after the first ones to end
        assert len(post.sent()) == 40
    assert {one.state for one in post.of(subscription)} == {DELIVERED}


async def test_a_rate_is_kept() -> None:
    """However much waits."""
    async with working(settings=WorkerSettings(record_seconds=0, poll_seconds=1)) as post:
        subscription = await post.subscribed(requests_per_second=2.0)
        await post.happened(30)
        assert len(post.sent()) == 2
        await post.clock.advance(5)
        await post.settle()
        assert 10 <= len(post.sent()) <= 12
        await post.clock.advance(20)
        await post.settle()
        assert {one.state for one in post.of(subscription)} == {DELIVERED}


async def test_an_ordered_subscription_keeps_its_order() -> None:
    """A failing one holds up what follows."""
    async with working(BROKEN, OK) as post:
        await post.subscribed(is_ordered=True)
        await post.happened(3)
        assert len(post.sent()) == 1
        await post.pass_minutes(2)
        numbers = [json.loads(request.body)["data"]["number"] for request in post.sent()]
        assert numbers == [0, 0, 1, 2]


async def test_what_keeps_failing_is_warned_of_and_then_disabled() -> None:
    """Each told once to whoever wants to know."""
    rules = DisableRules(warn_after=3600, disable_after=7200)
    async with working(BROKEN, rules=rules) as post:
        failing = await post.subscribed()
        watching = await post.subscribed("https://example.org/watch", "webhook.failing", "webhook.disabled")
        for _ in range(16):
            await post.happened()
            await post.pass_minutes(10)
        assert [one.event_type for one in post.of(watching)] == ["webhook.failing", "webhook.disabled"]
        told = json.loads(post.sent("https://example.org/watch")[-1].body)["data"]
        assert told["subscription_id"] == str(failing.id)
        assert told["reason"].startswith("every attempt has failed for 2 hours")
        states = {one.state for one in post.of(failing)}
        assert PENDING not in states
        assert SKIPPED in states


async def test_what_was_skipped_is_replayed() -> None:
    """From a moment on, with the same ids, what was delivered only when asked for."""
    async with working() as post:
        subscription = await post.subscribed()
        await post.happened(2)
        await post.subscriptions.update(subscription.id, {"is_enabled": False})
        await post.happened(3)
        with pytest.raises(SubscriptionDisabled):
            await post.redeliveries.replay(subscription.id, post.clock.now())
        await post.subscriptions.update(subscription.id, {"is_enabled": True})
        since = post.clock.now() - timedelta(hours=1)
        begun = await post.redeliveries.replay(subscription.id, since)
        ended = await post.redeliveries.ended(begun.id)
        assert (ended.status, ended.deliveries) == (JobStatus.COMPLETED, 3)
        await post.settle()
        assert len(post.sent()) == 5
        everything = await post.redeliveries.replay(subscription.id, since, with_delivered=True)
        assert (await post.redeliveries.ended(everything.id)).deliveries == 5
        await post.settle()
        ids = [request.headers["webhook-id"] for request in post.sent()]
        assert (len(ids), len(set(ids))) == (10, 5)


async def test_dead_deliveries_are_redriven_by_a_filter() -> None:
    """Nothing by oversight, and nothing that is pending."""
    async with working(Answer(status=400)) as post:
        subscription = await post.subscribed()
        await post.happened(4)
        post.answering.by_url[URL] = [OK]
        for wanted in (DeliveryFilter(), DeliveryFilter(states=frozenset({PENDING}))):
            with pytest.raises(NoDeliveriesNamed):
                post.redeliveries.begin(wanted)
        begun = post.redeliveries.begin(DeliveryFilter(status=400))
        assert (await post.redeliveries.ended(begun.id)).deliveries == 4
        await post.settle()
        assert {one.state for one in post.of(subscription)} == {DELIVERED}
        again = post.redeliveries.begin(DeliveryFilter(), is_all_meant=True)
        assert (await post.redeliveries.ended(again.id)).deliveries == 0
        with pytest.raises(RedeliveryNotFound):
            post.redeliveries.get(subscription.id)


async def test_one_delivery_is_sent_again_on_demand() -> None:
    """When it is settled and there is somebody to send it to."""
    async with working(BROKEN, Answer(status=400), OK) as post:
        subscription = await post.subscribed()
        await post.happened()
        (delivery,) = post.of(subscription)
        with pytest.raises(DeliveryPending):
            await post.deliveries.retry(delivery.id)
        await post.pass_minutes(1)
        assert (await post.deliveries.retry(delivery.id)).failures == 0
        await post.settle()
        assert [one.state for one in post.of(subscription)] == [DELIVERED]
        await post.subscriptions.update(subscription.id, {"is_enabled": False})
        with pytest.raises(SubscriptionDisabled):
            await post.deliveries.retry(delivery.id)


async def test_a_test_is_sent_once() -> None:
    """Somebody is waiting to see what comes of it."""
    async with working(BROKEN) as post:
        subscription = await post.subscribed()
        delivery = await post.deliveries.send_test(subscription.id)
        await post.settle()
        assert post.of(subscription)[0].state is DEAD
        assert json.loads(post.sent()[0].body)["type"] == delivery.event_type == "webhook.test"


@dataclass(slots=True)
class RemovedMeanwhile(MemoryWebhookSubscriptions):
    """Subscriptions that somebody else removes as soon as they have been read."""

    async def get(self, subscription_id: UUID) -> Subscription:
        subscription = await MemoryWebhookSubscriptions.get(self, subscription_id)
        del self.store.subscriptions[subscription_id]
        return subscription


async def test_a_test_of_a_subscription_that_is_removed_meanwhile_finds_none() -> None:
    """It is not there, as it would not have been a moment later."""
    async with working(kept=RemovedMeanwhile) as post:
        subscription = await post.subscribed()
        with pytest.raises(SubscriptionNotFound):
            await post.deliveries.send_test(subscription.id)
        assert not post.store.subscriptions


async def test_a_changed_subscription_counts_for_what_waits() -> None:
    """The next request goes to the new address, signed with the new secret too."""
    async with working(BROKEN) as post:
        subscription = await post.subscribed(secret="first")
        await post.happened()
        changed = await post.subscriptions.update(
            subscription.id, {"url": "https://example.org/new"}, expected_version=1
        )
        with pytest.raises(SubscriptionChanged):
            await post.subscriptions.update(subscription.id, {"description": "x"}, expected_version=1)
        await post.subscriptions.rotate(changed.id, secret="second", keep_seconds=3600)
        await post.pass_minutes(1)
        (request,) = post.sent("https://example.org/new")
        assert len(request.headers["webhook-signature"].split()) == 2
        await post.subscriptions.rotate(changed.id, secret="third", keep_seconds=0)
        assert (await post.subscriptions.get(changed.id)).valid_secrets(post.clock.now()) == ["third"]


async def test_an_address_inside_is_refused_from_the_start() -> None:
    """When it is made and when it is changed."""
    async with working() as post:
        with pytest.raises(DestinationRefused):
            await post.subscribed("https://127.0.0.1/hook")
        subscription = await post.subscribed()
        with pytest.raises(DestinationRefused):
            await post.subscriptions.update(subscription.id, {"url": "http://example.org/"})


async def test_what_a_dead_worker_held_is_sent_again_with_the_same_id() -> None:
    """At least once: the first one may have got through."""

    async def never(request: WebhookRequest) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    settings = WorkerSettings(record_seconds=0, poll_seconds=60, grace_seconds=0)
    async with working(endpoint=never, settings=settings) as dying:
        subscription = await dying.subscribed()
        await dying.happened()
        (first,) = dying.sent()
    async with working(store=dying.store) as post:
        assert post.sent() == []
        await post.pass_minutes(WorkerSettings().lease_seconds / 60 + 1)
        (second,) = post.sent()
        assert second.headers["webhook-id"] == first.headers["webhook-id"]
        (delivery,) = post.of(subscription)
        assert (delivery.state, delivery.attempts, delivery.failures) == (DELIVERED, 2, 0)


async def test_leaving_waits_for_what_is_under_way() -> None:
    """A few seconds."""
    async with working() as post:
        gate = post.answering.gates[URL] = asyncio.Event()
        subscription = await post.subscribed()
        await post.happened()
        asyncio.get_running_loop().call_later(0.01, gate.set)
    assert [one.state for one in post.of(subscription)] == [DELIVERED]


async def test_a_subscription_that_is_disabled_from_the_start_skips() -> None:
    """And says by whose hand."""
    async with working() as post:
        subscription = await post.subscribed(is_enabled=False)
        await post.happened()
        told, _ = await post.subscriptions.list(is_enabled=False)
        assert list(told) == [subscription]
        assert (told[0].disabled_reason, [one.state for one in post.of(told[0])]) == (
            "disabled by hand",
            [SKIPPED],
        )


async def test_a_subscription_whose_key_is_lost_is_passed_over_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others are told; what waits for it is sent with its new secret."""
    async with working() as post:
        lost = await post.subscribed()
        await post.subscribed("https://example.org/other")
        post.store.keys[lost.id] = "lost"
        await post.subscriptions.update(lost.id, {"description": "x"})
        await post.happened()
        for _ in range(3):
            await post.pass_minutes(2)
        assert (len(post.sent()), len(post.sent("https://example.org/other"))) == (0, 1)
        assert caplog.text.count(str(lost.id)) == 1
        assert "rotate its secret" in caplog.text
        await post.subscriptions.update(lost.id, {"description": "y"})
        await post.pass_minutes(2)
        assert caplog.text.count(str(lost.id)) == 2
        assert [one.state for one in post.of(lost)] == [PENDING]
        await post.subscriptions.rotate(lost.id, secret="x")
        await post.pass_minutes(2)
        assert [one.state for one in post.of(lost)] == [DELIVERED]
