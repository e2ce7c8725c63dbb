"""Puts webhooks together: the key that seals, the guard of addresses, the use-cases and the worker."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from adapters.http_client.webhook_sender import HttpWebhookSender
from adapters.sealing.aes_gcm import AesGcmSealer
from application.ports.clock import Clock
from application.ports.event_bus import EventBus
from application.ports.id_source import IdSource
from application.ports.webhook_deliveries import WebhookDeliveries
from application.ports.webhook_queue import WebhookQueue
from application.ports.webhook_sender import WebhookSender
from application.ports.webhook_subscriptions import WebhookSubscriptions
from application.webhooks.attempting import Attempting
from application.webhooks.care import EndpointCare
from application.webhooks.deliveries import Deliveries
from application.webhooks.delivery_worker import DeliveryWorker
from application.webhooks.redeliveries import Redeliveries
from application.webhooks.subscriptions import Subscriptions
from domain.errors import Refused
from domain.outbound import OutboundPolicy
from domain.webhooks.endpoint_health import DisableRules
from domain.webhooks.schedule import RetrySchedule
from entrypoints.data_folder import DataFolder
from entrypoints.settings import Settings

KEY_FILE = "webhook.key"


class WebhookKeyMissing(Refused):
    """Set FACTFLOW_WEBHOOK_KEY to the same random text for every server and worker: openssl rand -base64 32 makes one."""

    code = "webhook_key_missing"


class Webhooks(NamedTuple):
    """The use-cases and what delivers."""

    subscriptions: Subscriptions
    deliveries: Deliveries
    redeliveries: Redeliveries
    worker: DeliveryWorker


def sealer(settings: Settings, folder: DataFolder) -> AesGcmSealer:
    """With the keys of the settings, else with one that is kept in the data folder of the one process there is."""

    def keys() -> Sequence[str]:
        if settings.webhook_key is not None:
            return settings.webhook_key
        if settings.queue_url is not None:
            raise WebhookKeyMissing
        return [kept_key(folder.folder(KEY_FILE))]

    return AesGcmSealer(keys)


def sender(settings: Settings) -> HttpWebhookSender:
    """With what the operator allows."""
    return HttpWebhookSender(
        OutboundPolicy(
            allowed_networks=settings.webhook_allowed_networks,
            is_http_allowed=settings.webhook_allow_http,
        )
    )


def make_webhooks(
    settings: Settings,
    *,
    subscriptions: WebhookSubscriptions,
    deliveries: WebhookDeliveries,
    queue: WebhookQueue,
    sender: WebhookSender,
    clock: Clock,
    ids: IdSource,
    events: EventBus,
) -> Webhooks:
    """Everything of webhooks over these adapters, the worker not yet at work."""
    seconds = settings.webhook_disable_after_hours * 3600
    worker = DeliveryWorker(
        queue=queue,
        subscriptions=subscriptions,
        attempting=Attempting(
            sender=sender,
            clock=clock,
            ids=ids,
            schedule=RetrySchedule(delays=tuple(settings.webhook_retry_seconds)),
        ),
        care=EndpointCare(
            subscriptions=subscriptions,
            clock=clock,
            ids=ids,
            rules=DisableRules(warn_after=seconds / 2, disable_after=seconds),
        ),
        events=events,
    )
    use_case = Deliveries(
        deliveries=deliveries, subscriptions=subscriptions, clock=clock, ids=ids, changed=worker.wake
    )
    return Webhooks(
        subscriptions=Subscriptions(
            subscriptions=subscriptions, sender=sender, clock=clock, ids=ids, changed=worker.wake
        ),
        deliveries=use_case,
        redeliveries=Redeliveries(deliveries=use_case),
        worker=worker,
    )


def kept_key(path: Path) -> str:
    """The key in a file that only its owner can read, made if there is none."""
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text(encoding="ascii").strip()
