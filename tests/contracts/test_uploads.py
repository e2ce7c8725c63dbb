"""What every ``Uploads`` does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import pytest

from adapters.memory.uploads import MemoryUploads
from adapters.memory.webhook_store import WebhookStore
from adapters.postgres.uploads import PostgresUploads
from application.ports.uploads import Uploads
from domain.storage import Upload
from tests.contracts.webhooks import NOW, Desk, an_event, at, memory_desk, postgres_desk
from tests.databases import SERVERS, fresh_database


@dataclass(frozen=True, slots=True)
class Given:
    """Uploads, and the webhooks that tell of them."""

    uploads: Uploads
    desk: Desk


@pytest.fixture(params=["memory", *SERVERS])
async def given(request: pytest.FixtureRequest) -> AsyncIterator[Given]:
    """Each implementation there is."""
    if request.param == "memory":
        store = WebhookStore()
        yield Given(MemoryUploads(store), memory_desk(store))
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield Given(PostgresUploads(database), postgres_desk(database))


def upload(seconds: float = 0) -> Upload:
    """One that began so many seconds on."""
    return Upload(id=uuid4(), key="uploads/ä.txt", begun_at=at(seconds))


async def test_an_upload_is_remembered_until_it_ends(given: Given) -> None:
    """The earliest first, and those alone that began before a moment."""
    second, first, last = upload(2), upload(1), upload(3)
    for one in (second, first, last, first):
        await given.uploads.begin(one)
    assert await given.uploads.begun_before(at(3), limit=10) == [first, second]
    assert await given.uploads.begun_before(at(9), limit=1) == [first]
    await given.uploads.end(first.id, None)
    assert await given.uploads.begun_before(at(9), limit=10) == [second, last]


async def test_the_end_of_an_upload_is_told_once_whoever_ends_it(given: Given) -> None:
    """Also when two do, and by one who comes when it is forgotten."""
    await given.desk.subscribed("storage.object_created")
    one = upload()
    await given.uploads.begin(one)
    event = an_event("storage.object_created")
    for _ in range(2):
        await given.uploads.end(one.id, event)
    assert len(await given.desk.states()) == 1
    assert await given.uploads.begun_before(NOW + timedelta(days=1), limit=10) == []
