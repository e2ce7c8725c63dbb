"""Webhook subscriptions and event types."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.conditional import IF_NONE_MATCH, NOT_MODIFIED
from adapters.http.errors import PreconditionFailed
from adapters.http.ranges import expected_version
from adapters.http.wire.pages import Limit, Offset
from adapters.http.wire.webhook_deliveries import DeliveryResponse, delivery_response
from adapters.http.wire.webhooks import (
    EventTypeListResponse,
    SecretRotateRequest,
    SubscriptionCreateRequest,
    SubscriptionListResponse,
    SubscriptionResponse,
    SubscriptionSecretResponse,
    SubscriptionUpdateRequest,
    event_type_list_response,
    secret_response,
    subscription_list_response,
    subscription_response,
)
from application.webhooks.deliveries import Deliveries
from application.webhooks.subscriptions import Subscriptions, TooManySubscriptions
from domain.outbound import DestinationRefused, InvalidUrl
from domain.webhooks.filters import InvalidEventFilter
from domain.webhooks.secret import InvalidSecret, TooManySecrets
from domain.webhooks.subscription import (
    InvalidSubscription,
    Subscription,
    SubscriptionChanged,
    SubscriptionDisabled,
    SubscriptionNotFound,
    SubscriptionUnreadable,
    UnknownEventType,
)

UseCase = NamedDependency[SkipValidation[Subscriptions]]
WebhookId = Annotated[UUID, PathParameter(description="The subscription's id.")]
INVALID = (InvalidUrl, DestinationRefused, UnknownEventType, InvalidSubscription, InvalidEventFilter)


class WebhooksController(Controller):
    path = "/api/v1/webhooks"
    tags = ("webhooks",)

    @post(
        operation_id="create_webhook",
        summary="Subscribe an endpoint to events",
        opt={"errors": (*INVALID, InvalidSecret, TooManySubscriptions)},
    )
    async def create(
        self, webhook_subscriptions: UseCase, data: JSONBody[SubscriptionCreateRequest]
    ) -> Response[SubscriptionSecretResponse]:
        """The secret is in this answer and in no other."""
        subscription = await webhook_subscriptions.create(
            url=data.url,
            event_types=data.event_types,
            secret=data.secret,
            filters=data.filters.wanted(),
            description=data.description,
            headers=data.headers,
            requests_per_second=data.requests_per_second,
            timeout_seconds=data.timeout_seconds,
            is_ordered=data.is_ordered,
            is_enabled=data.is_enabled,
        )
        body = secret_response(subscription, webhook_subscriptions.clock.now())
        location = f"{self.path}/{subscription.id}"
        return Response(
            body, headers={"etag": etag(subscription), "location": location, "cache-control": "no-store"}
        )

    @get(operation_id="list_webhooks", summary="List webhook subscriptions")
    async def list_all(
        self,
        webhook_subscriptions: UseCase,
        is_enabled: Annotated[
            bool | None, QueryParameter(description="Only those that are, or are not.")
        ] = None,
        event_type: Annotated[
            str | None, QueryParameter(description="Only those that want this type.")
        ] = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> SubscriptionListResponse:
        """By creation."""
        page, total = await webhook_subscriptions.list(
            is_enabled=is_enabled, event_type=event_type, limit=limit, offset=offset
        )
        now = webhook_subscriptions.clock.now()
        return subscription_list_response(page, now, total=total, limit=limit, offset=offset)

    @get("/event-types", operation_id="list_webhook_event_types", summary="List the types of events")
    async def event_types(self) -> EventTypeListResponse:
        """Each with the JSON schema of its body and an example."""
        return event_type_list_response()

    @get(
        "/{webhook_id:uuid}",
        operation_id="get_webhook",
        summary="Read a webhook subscription",
        opt={"errors": (SubscriptionNotFound,), "parameters": (IF_NONE_MATCH,), "answers": NOT_MODIFIED},
    )
    async def read(
        self, webhook_subscriptions: UseCase, webhook_id: WebhookId
    ) -> Response[SubscriptionResponse]:
        """Without its secrets, with how its endpoint stands."""
        subscription = await webhook_subscriptions.get(webhook_id)
        return _answer(subscription, webhook_subscriptions)

    @patch(
        "/{webhook_id:uuid}",
        operation_id="update_webhook",
        summary="Change a webhook subscription",
        opt={
            "errors": (
                SubscriptionNotFound,
                SubscriptionChanged,
                SubscriptionUnreadable,
                PreconditionFailed,
                *INVALID,
            )
        },
    )
    async def update(
        self,
        webhook_subscriptions: UseCase,
        webhook_id: WebhookId,
        data: JSONBody[SubscriptionUpdateRequest],
        if_match: Annotated[
            str | None, HeaderParameter(name="If-Match", description="The ETag of the version to replace.")
        ] = None,
    ) -> Response[SubscriptionResponse]:
        """What is not given stays. It counts for what is waiting to be sent too."""
        version = expected_version(if_match)
        try:
            subscription = await webhook_subscriptions.update(
                webhook_id, data.changes(), expected_version=version
            )
        except SubscriptionChanged as error:
            if version is None:
                raise
            raise PreconditionFailed(f"version {version} is not the latest") from error
        return _answer(subscription, webhook_subscriptions)

    @delete(
        "/{webhook_id:uuid}",
        operation_id="delete_webhook",
        summary="Delete a webhook subscription",
        opt={"errors": (SubscriptionNotFound, PreconditionFailed)},
    )
    async def remove(
        self,
        webhook_subscriptions: UseCase,
        webhook_id: WebhookId,
        if_match: Annotated[
            str | None, HeaderParameter(name="If-Match", description="The ETag of the version to remove.")
        ] = None,
    ) -> None:
        """For good, with its deliveries and what is known of them."""
        version = expected_version(if_match)
        try:
            await webhook_subscriptions.remove(webhook_id, expected_version=version)
        except SubscriptionChanged as error:
            raise PreconditionFailed(f"version {version} is not the latest") from error

    @post(
        "/{webhook_id:uuid}/enable",
        status_code=200,
        operation_id="enable_webhook",
        summary="Enable a webhook subscription",
        opt={"errors": (SubscriptionNotFound, SubscriptionChanged, SubscriptionUnreadable)},
    )
    async def enable(
        self, webhook_subscriptions: UseCase, webhook_id: WebhookId
    ) -> Response[SubscriptionResponse]:
        """From now on it is told again; what was skipped meanwhile can be replayed. Again changes nothing."""
        subscription = await webhook_subscriptions.update(webhook_id, {"is_enabled": True})
        return _answer(subscription, webhook_subscriptions)

    @post(
        "/{webhook_id:uuid}/disable",
        status_code=200,
        operation_id="disable_webhook",
        summary="Disable a webhook subscription",
        opt={"errors": (SubscriptionNotFound, SubscriptionChanged)},
    )
    async def disable(
        self, webhook_subscriptions: UseCase, webhook_id: WebhookId
    ) -> Response[SubscriptionResponse]:
        """What waits and what happens meanwhile is kept as skipped. Again changes nothing."""
        subscription = await webhook_subscriptions.update(webhook_id, {"is_enabled": False})
        return _answer(subscription, webhook_subscriptions)

    @post(
        "/{webhook_id:uuid}/rotate-secret",
        status_code=200,
        operation_id="rotate_webhook_secret",
        summary="Give a webhook subscription a new secret",
        opt={"errors": (SubscriptionNotFound, SubscriptionChanged, InvalidSecret, TooManySecrets)},
    )
    async def rotate(
        self,
        webhook_subscriptions: UseCase,
        webhook_id: WebhookId,
        data: JSONBody[SecretRotateRequest | None] = None,
    ) -> Response[SubscriptionSecretResponse]:
        """The one before signs as well for a day unless said otherwise; up to ten old ones may.

        One that was not readable is readable again, with this secret alone and without headers.
        """
        asked = data or SecretRotateRequest()
        subscription = await webhook_subscriptions.rotate(
            webhook_id, secret=asked.secret, keep_seconds=asked.keep_old_seconds
        )
        body = secret_response(subscription, webhook_subscriptions.clock.now())
        return Response(body, headers={"etag": etag(subscription), "cache-control": "no-store"})

    @post(
        "/{webhook_id:uuid}/test",
        status_code=202,
        operation_id="test_webhook",
        summary="Send a webhook subscription a test",
        opt={"errors": (SubscriptionNotFound, SubscriptionDisabled, SubscriptionUnreadable)},
    )
    async def test(
        self, webhook_deliveries: NamedDependency[SkipValidation[Deliveries]], webhook_id: WebhookId
    ) -> Response[DeliveryResponse]:
        """One attempt with an event of the type `webhook.test`; `Location` tells what came of it."""
        delivery = await webhook_deliveries.send_test(webhook_id)
        location = f"{self.path}/deliveries/{delivery.id}"
        return Response(delivery_response(delivery), headers={"location": location})


def _answer(subscription: Subscription, use_case: Subscriptions) -> Response[SubscriptionResponse]:
    body = subscription_response(subscription, use_case.clock.now())
    return Response(body, headers={"etag": etag(subscription)})


def etag(subscription: Subscription) -> str:
    """The entity tag of a subscription: its version."""
    return f'"{subscription.version}"'
