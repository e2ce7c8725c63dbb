"""Uploads are told of, whatever dies when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest

from adapters.memory.clock import ManualClock
from adapters.memory.storage import MemoryObjectStorage
from adapters.memory.uploads import MemoryUploads
from adapters.memory.webhook_store import WebhookStore
from adapters.system.id_source import SystemIdSource
from application.uploading import Uploading
from domain.errors import Unavailable
from domain.storage import InvalidObjectDescription, Upload
from domain.webhooks.event import WebhookEvent, body_of
from domain.webhooks.secret import Secret
from domain.webhooks.subscription import Subscription

KEY = "uploads/a b.txt"


@dataclass
class Died(MemoryUploads):
    """The process is gone before it can tell."""

    is_dead: bool = field(default=False)

    async def end(self, upload_id: UUID, event: WebhookEvent | None) -> None:
        if self.is_dead:
            raise Unavailable
        await MemoryUploads.end(self, upload_id, event)


@dataclass
class World:
    """Uploads into storage, with a subscriber."""

    clock: ManualClock = field(default_factory=ManualClock)
    store: WebhookStore = field(default_factory=WebhookStore)
    storage: MemoryObjectStorage = field(default_factory=MemoryObjectStorage)
    uploads: Died = field(init=False)
    uploading: Uploading = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Died(self.store)
        ids = SystemIdSource()
        self.uploading = Uploading(storage=self.storage, uploads=self.uploads, clock=self.clock, ids=ids)
        now = self.clock.now()
        subscription = Subscription(
            id=ids.new_id(),
            url="https://example.org/hook",
            event_types=("storage.object_created",),
            secrets=(Secret(text="secret"),),
            created_at=now,
            updated_at=now,
        )
        self.store.subscriptions[subscription.id] = subscription

    async def put(self, content: bytes = b"x") -> None:
        await self.uploading.store(KEY, content, content_type="text/plain")

    async def left(self) -> int:
        """How many uploads are not forgotten."""
        later = self.clock.now() + timedelta(days=9)
        return len(await self.uploads.begun_before(later, limit=10))


async def test_an_upload_is_told_of() -> None:
    """With where it is to be had; it has no execution."""
    world = World()
    await world.put()
    (event,) = world.store.events.values()
    assert (event.type, event.data["key"], event.data["size"]) == ("storage.object_created", KEY, 1)
    assert (event.execution_id, event.data["execution_id"]) == (None, None)
    assert b'"object":"/api/v1/storage/objects/uploads/a%20b.txt"' in body_of(event)
    assert (await world.left(), len(world.store.deliveries)) == (0, 1)


async def test_two_uploads_of_one_key_are_two_events() -> None:
    """For the second replaces the first."""
    world = World()
    await world.put()
    await world.put(b"yy")
    assert [event.data["size"] for event in world.store.events.values()] == [1, 2]


async def test_what_was_stored_before_the_process_died_is_told_of_later() -> None:
    """Once, though the one that died comes back and ends it too."""
    world = World()
    world.uploads.is_dead = True
    with pytest.raises(Unavailable):
        await world.put()
    world.uploads.is_dead = False
    assert (await world.uploading.tell_of_left(), len(world.store.events)) == (0, 0)
    await world.clock.advance(61)
    assert (await world.uploading.tell_of_left(), len(world.store.events)) == (1, 1)
    assert (await world.uploading.tell_of_left(), await world.left()) == (0, 0)


async def test_what_was_not_stored_is_not_told_of() -> None:
    """Also when an object of that key was there before, and when the description is refused."""
    world = World()
    await world.put()
    upload = Upload(id=UUID(int=7), key=KEY, begun_at=world.clock.now())
    await world.uploads.begin(upload)
    await world.uploads.begin(Upload(id=UUID(int=8), key="uploads/never", begun_at=world.clock.now()))
    await world.clock.advance(3600)
    assert (await world.uploading.tell_of_left(), await world.left()) == (0, 2)
    await world.clock.advance(24 * 3600)
    assert (await world.uploading.tell_of_left(), await world.left()) == (0, 0)
    with pytest.raises(InvalidObjectDescription):
        await world.uploading.store(KEY, b"x", content_type="")
    assert (await world.left(), len(world.store.events)) == (0, 1)
