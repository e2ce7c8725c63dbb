"""Webhook deliveries: what became of them, and sending them again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.wire.moments import Moment, in_utc
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.positions import position_at
from adapters.http.wire.webhook_deliveries import (
    AttemptListResponse,
    DeliveryDetailResponse,
    DeliveryListResponse,
    DeliveryResponse,
    RedeliveryResponse,
    RedriveRequest,
    ReplayRequest,
    attempt_list_response,
    delivery_detail_response,
    delivery_list_response,
    delivery_response,
    redelivery_response,
)
from application.object_listing import InvalidCursor
from application.webhooks.deliveries import Deliveries
from application.webhooks.redeliveries import (
    NoDeliveriesNamed,
    Redeliveries,
    Redelivery,
    RedeliveryNotFound,
    TooManyRedeliveries,
)
from domain.webhooks.delivery import (
    DeliveryFilter,
    DeliveryNotFound,
    DeliveryPending,
    DeliveryState,
    InvalidDeliveryFilter,
)
from domain.webhooks.outcome import Failure
from domain.webhooks.subscription import SubscriptionDisabled, SubscriptionNotFound, SubscriptionUnreadable

UseCase = NamedDependency[SkipValidation[Deliveries]]
RedeliveriesUseCase = NamedDependency[SkipValidation[Redeliveries]]
DeliveryId = Annotated[UUID, PathParameter(description="The delivery's id, which is its `webhook-id` too.")]


class WebhookDeliveriesController(Controller):
    path = "/api/v1/webhooks"
    tags = ("webhooks",)

    @get(
        "/deliveries",
        operation_id="list_webhook_deliveries",
        summary="List webhook deliveries",
        opt={"errors": (InvalidDeliveryFilter, InvalidCursor)},
    )
    async def list_all(
        self,
        webhook_deliveries: UseCase,
        subscription_id: Annotated[UUID | None, QueryParameter(description="To this subscription.")] = None,
        in_state: Annotated[
            DeliveryState | None, QueryParameter(name="state", description="In this state.")
        ] = None,
        event_type: Annotated[str | None, QueryParameter(description="Of this type of events.")] = None,
        status: Annotated[
            int | None, QueryParameter(ge=100, le=999, description="With this last status.")
        ] = None,
        failure: Annotated[
            Failure | None, QueryParameter(description="Last failed without an answer, and so.")
        ] = None,
        since: Moment = None,
        until: Moment = None,
        limit: Limit = 100,
        offset: Offset = 0,
        cursor: Annotated[str | None, QueryParameter(description="Where an earlier page left off.")] = None,
    ) -> DeliveryListResponse:
        """The latest first, by when they happened; `since` is inclusive, `until` is not."""
        wanted = DeliveryFilter(
            subscription_id=subscription_id,
            states=frozenset() if in_state is None else frozenset({in_state}),
            event_type=event_type,
            status=status,
            failure=failure,
            since=in_utc(since),
            until=in_utc(until),
        )
        page = await webhook_deliveries.list(wanted, limit=limit, offset=offset, before=position_at(cursor))
        return delivery_list_response(page, limit=limit, offset=offset)

    @get(
        "/deliveries/{delivery_id:uuid}",
        operation_id="get_webhook_delivery",
        summary="Read a webhook delivery",
        opt={"errors": (DeliveryNotFound,)},
    )
    async def read(self, webhook_deliveries: UseCase, delivery_id: DeliveryId) -> DeliveryDetailResponse:
        """With the body that is sent."""
        return delivery_detail_response(await webhook_deliveries.get(delivery_id))

    @get(
        "/deliveries/{delivery_id:uuid}/attempts",
        operation_id="list_webhook_attempts",
        summary="List the attempts at a webhook delivery",
        opt={"errors": (DeliveryNotFound,)},
    )
    async def attempts(self, webhook_deliveries: UseCase, delivery_id: DeliveryId) -> AttemptListResponse:
        """Every request with its answer, in order."""
        return attempt_list_response(await webhook_deliveries.get(delivery_id))

    @post(
        "/deliveries/{delivery_id:uuid}/retry",
        status_code=202,
        operation_id="retry_webhook_delivery",
        summary="Send a webhook delivery again",
        opt={
            "errors": (
                DeliveryNotFound,
                DeliveryPending,
                SubscriptionDisabled,
                SubscriptionUnreadable,
                SubscriptionNotFound,
            )
        },
    )
    async def retry(self, webhook_deliveries: UseCase, delivery_id: DeliveryId) -> DeliveryResponse:
        """At once and with all its attempts, under the same `webhook-id`."""
        return delivery_response(await webhook_deliveries.retry(delivery_id))

    @post(
        "/deliveries/redrive",
        status_code=202,
        operation_id="redrive_webhook_deliveries",
        summary="Send many webhook deliveries again",
        opt={"errors": (NoDeliveriesNamed, InvalidDeliveryFilter, TooManyRedeliveries)},
    )
    async def redrive(
        self, webhook_redeliveries: RedeliveriesUseCase, data: JSONBody[RedriveRequest]
    ) -> Response[RedeliveryResponse]:
        """Those that are dead by now, or in other states if named; `Location` tells how far it has come."""
        return self._begun(webhook_redeliveries.begin(data.wanted(), is_all_meant=data.all))

    @post(
        "/{webhook_id:uuid}/replay",
        status_code=202,
        operation_id="replay_webhook",
        summary="Send a subscription again what has happened since a moment",
        opt={
            "errors": (
                SubscriptionNotFound,
                SubscriptionDisabled,
                SubscriptionUnreadable,
                TooManyRedeliveries,
            )
        },
    )
    async def replay(
        self,
        webhook_redeliveries: RedeliveriesUseCase,
        webhook_id: Annotated[UUID, PathParameter(description="The subscription's id.")],
        data: JSONBody[ReplayRequest],
    ) -> Response[RedeliveryResponse]:
        """What was skipped or died, and what arrived only if asked for; `Location` tells how far it has come."""
        return self._begun(
            await webhook_redeliveries.replay(webhook_id, data.since, with_delivered=data.include_delivered)
        )

    @get(
        "/redeliveries/{redelivery_id:uuid}",
        operation_id="get_webhook_redelivery",
        summary="Read how far a redelivery has come",
        opt={"errors": (RedeliveryNotFound,)},
    )
    async def redelivery(
        self,
        webhook_redeliveries: RedeliveriesUseCase,
        redelivery_id: Annotated[UUID, PathParameter(description="The redelivery's id.")],
    ) -> RedeliveryResponse:
        """`completed`, or `failed` or `stopped` in the middle; then asking for the same again does the rest."""
        return redelivery_response(webhook_redeliveries.get(redelivery_id))

    def _begun(self, redelivery: Redelivery) -> Response[RedeliveryResponse]:
        location = f"{self.path}/redeliveries/{redelivery.id}"
        return Response(redelivery_response(redelivery), headers={"location": location})
