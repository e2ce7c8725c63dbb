"""Uploads, and the events that tell of them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from application.ports.clock import Clock
from application.ports.id_source import IdSource
from application.ports.object_storage import ObjectStorage
from application.ports.uploads import Uploads
from domain.errors import FactflowError, Unavailable
from domain.json import JsonObject
from domain.storage import ObjectNotFound, StoredObject, Upload
from domain.webhooks.object_events import uploaded_object_created

log = logging.getLogger(__name__)

LEFT_AFTER = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(days=1)
LEFT_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploading:
    """Stores uploads, and sees that each that is stored is told of by ``storage.object_created``, once.

    The intent is recorded before the first byte, and is forgotten in the transaction that tells of the object. What a
    process that died has left in between, ``tell_of_left`` finds.
    """

    storage: ObjectStorage
    uploads: Uploads
    clock: Clock
    ids: IdSource

    async def store(
        self,
        key: str,
        content: bytes | AsyncIterator[bytes],
        *,
        content_type: str,
        metadata: JsonObject | None = None,
    ) -> StoredObject:
        """Store an object and tell of it; raises what ``ObjectStorage.write`` raises.

        After Unavailable it may be stored; if it is, it will be told of.
        """
        upload = Upload(id=self.ids.new_id(), key=key, begun_at=self.clock.now())
        await self.uploads.begin(upload)
        try:
            stored = await self.storage.write(
                key, content, content_type=content_type, metadata={**(metadata or {}), **upload.mark}
            )
        except Unavailable:
            raise
        except FactflowError:
            await self.uploads.end(upload.id, None)
            raise
        await self._tell(upload, stored)
        return stored

    async def tell_of_left(self) -> int:
        """Tell of what was stored by uploads whose processes did not come to tell; returns how many.

        One that has stored nothing within a day is given up.
        """
        now, count = self.clock.now(), 0
        for upload in await self.uploads.begun_before(now - LEFT_AFTER, limit=LEFT_AT_ONCE):
            try:
                stored = await self.storage.head(upload.key)
            except ObjectNotFound:
                stored = None
            if stored is not None and upload.has_stored(stored):
                await self._tell(upload, stored)
                count += 1
            elif upload.begun_at < now - GIVEN_UP_AFTER:
                await self.uploads.end(upload.id, None)
        return count

    async def _tell(self, upload: Upload, stored: StoredObject) -> None:
        event = uploaded_object_created(stored, upload.id, at=self.clock.now())
        await self.uploads.end(upload.id, event)
