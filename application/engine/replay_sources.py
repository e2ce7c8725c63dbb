"""Reads the messages of a replay from where they are kept: the same for a dry run and for the run itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from application.engine.claim_check import checked_out, lost_payloads
from application.ports.message_history import HistoryCursor, MessageHistory
from application.ports.object_storage import ObjectStorage
from domain.claim_check import PayloadGone
from domain.json import Json, JsonObject
from domain.message import Message
from domain.replay import InvalidReplay, Replay, ReplaySource, ReplaySourceGone
from domain.replayed_message import ReplayedMessage, of_key, of_message, of_object, of_payload
from domain.storage import ObjectNotFound, StoredObject

HISTORY_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySources:
    """Storage for what stages kept, history for what the parent's ledger still has."""

    storage: ObjectStorage
    history: MessageHistory

    def messages(
        self, replay: Replay, given: JsonObject, *, with_payloads: bool = True
    ) -> AsyncIterator[ReplayedMessage]:
        """Every message of a replay, in an order that holds; ``given`` is what ``given_of`` made of a manual one.

        Without payloads those in storage are not read, and what stands for them is in their place; whether they are there
        is looked up all the same. From lineage a message may come twice. Raises ReplaySourceGone when the ledger has lost
        messages that lineage names or their payloads, InvalidKey, InvalidReplay.
        """
        match replay.source:
            case ReplaySource.STORAGE:
                return self._stored(replay)
            case ReplaySource.LINEAGE:
                return self._of_parent(replay, with_payloads=with_payloads)
            case ReplaySource.MANUAL:
                return self._given(replay, given)

    async def _stored(self, replay: Replay) -> AsyncIterator[ReplayedMessage]:
        async for stored in self.storage.list(replay.prefix):
            if _is_of_stage(stored, replay):
                yield of_object(stored, replay)

    async def _of_parent(self, replay: Replay, *, with_payloads: bool) -> AsyncIterator[ReplayedMessage]:
        origin = replay.origin
        if origin is None:
            raise InvalidReplay("a replay from lineage needs a stage")
        after: HistoryCursor | None = None
        while True:
            page = await self.history.page(
                replay.parent_id, origin.route_id, stage=origin.stage, after=after, limit=HISTORY_PAGE
            )
            if page.gone:
                raise ReplaySourceGone(
                    f"messages that lineage names are forgotten or purged, {page.gone[0]} among them; "
                    "replay from storage instead"
                )
            lost = frozenset() if with_payloads else await lost_payloads(self.storage, page.messages)
            for message in page.messages:
                given = await self._with_payload(message) if with_payloads else message
                yield of_message(given, replay, is_lost=message.id in lost)
            if page.following is None:
                return
            after = page.following

    async def _with_payload(self, message: Message) -> Message:
        try:
            return await checked_out(self.storage, message)
        except PayloadGone as error:
            raise ReplaySourceGone(error.message) from error

    async def _given(self, replay: Replay, given: JsonObject) -> AsyncIterator[ReplayedMessage]:
        for key in _list(given, "object_keys"):
            yield of_key(str(key), await self._size(str(key)), replay)
        for position, payload in enumerate(_list(given, "payloads")):
            if isinstance(payload, dict):
                yield of_payload(position, payload, replay)

    async def _size(self, key: str) -> int:
        try:
            return (await self.storage.head(key)).size
        except ObjectNotFound:
            return 0  # whoever reads it will say so, and name the key


def given_of(object_keys: Sequence[str], payloads: Sequence[JsonObject]) -> JsonObject:
    """What a manual replay was given, as its seed message carries it; empty for others."""
    given: dict[str, Json] = {}
    if object_keys:
        given["object_keys"] = list(dict.fromkeys(object_keys))
    if payloads:
        given["payloads"] = [dict(payload) for payload in payloads]
    return given


def _list(given: JsonObject, name: str) -> Sequence[Json]:
    value = given.get(name, ())
    return value if isinstance(value, list) else ()


def _is_of_stage(stored: StoredObject, replay: Replay) -> bool:
    """Not of another stage whose name goes on where this one's ends, unless a path was asked for."""
    return bool(replay.from_path) or replay.origin is None or _stage(stored) in {None, replay.origin.stage}


def _stage(stored: StoredObject) -> Json:
    return stored.metadata.get("stage")
