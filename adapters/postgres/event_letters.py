"""How events travel in notifications, which hold less than 8,000 bytes of text each."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from domain.event import Event
from domain.json import JsonObject

log = logging.getLogger(__name__)

LONGEST_PAYLOAD = 7_900
"""Bytes of one notification with its head; PostgreSQL refuses 8,000."""

LONGEST_EVENT = 32 * 1024
"""Bytes of one event; of a longer one the short values travel, with ``truncated`` among them."""

LONGEST_KEPT = 500
_HEAD = 100
_VERSION = "1"


class Letter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one process tells the others: events, what its listeners follow, or a question for what theirs do."""

    events: Sequence[_Event] = ()
    follows: Sequence[UUID] | None = None
    follows_all: bool = False
    asks: bool = False


class _Event(msgspec.Struct, frozen=True):
    id: UUID
    type: str
    execution_id: UUID
    at: datetime
    data: dict[str, Any]

    def event(self) -> Event:
        return Event(id=self.id, type=self.type, execution_id=self.execution_id, at=self.at, data=self.data)


Words: TypeAlias = dict[str, object]
"""Fields of a letter other than its events."""


def letters(events: Sequence[Event], words: Words) -> Iterator[str]:
    """Letters with the events in their order, each as long as a notification if it can be; the words in the first.

    An event that has no form in JSON is left out.
    """
    opening = json.dumps(words)[1:-1]
    gathered: list[str] = []
    length = len(opening)
    for text in filter(None, map(_encoded, events)):
        if gathered and length + len(text) > LONGEST_PAYLOAD - _HEAD:
            yield _body(opening, gathered)
            opening, gathered, length = "", [], 0
        gathered.append(text)
        length += len(text) + 1
    if gathered or opening:
        yield _body(opening, gathered)


def _body(opening: str, events: Sequence[str]) -> str:
    parts = [opening] if opening else []
    if events:
        parts.append(f'"events":[{",".join(events)}]')
    return "{" + ",".join(parts) + "}"


def _encoded(event: Event) -> str | None:
    try:
        text = _json(event, event.data)
        return text if len(text) <= LONGEST_EVENT else _json(event, _shortened(event.data))
    except (TypeError, ValueError, RecursionError) as error:
        log.error("the event %s %s cannot be told to other processes: %s", event.type, event.id, error)  # noqa: TRY400 (a trace would tell no more)
        return None


def _json(event: Event, data: JsonObject) -> str:
    about = {
        "id": str(event.id),
        "type": event.type,
        "execution_id": str(event.execution_id),
        "at": event.at.isoformat(),
        "data": data,
    }
    # In ASCII, so that a character is a byte wherever the text is cut.
    return json.dumps(about, separators=(",", ":"), default=_plain, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _shortened(data: JsonObject) -> JsonObject:
    kept = {
        key: value
        for key, value in list(data.items())[:100]
        if value is None or isinstance(value, bool | int | float) or _is_short(value)
    }
    return {**kept, "truncated": True}


def _is_short(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_KEPT


def payloads(sender: UUID, number: int, letter: str) -> Sequence[str]:
    """The notifications that carry a letter; they must be sent in one transaction, which keeps them together."""
    room = LONGEST_PAYLOAD - _HEAD
    pieces = [letter[start : start + room] for start in range(0, len(letter), room)]
    return [
        f"{_VERSION}:{sender.hex}:{number}:{index}:{len(pieces)}:{piece}"
        for index, piece in enumerate(pieces)
    ]


@dataclass(frozen=True, slots=True)
class Piece:
    """A notification: the text of a letter from ``index`` of ``count``."""

    sender: UUID
    number: int
    index: int
    count: int
    text: str


def opened(payload: str) -> Piece | None:
    """The piece that a notification is; None for what another version of ours, or somebody else, has sent."""
    version, _, rest = payload.partition(":")
    if version != _VERSION:
        return None
    try:
        sender, number, index, count, text = rest.split(":", 4)
        return Piece(UUID(hex=sender), int(number), int(index), int(count), text)
    except ValueError:
        return None


@dataclass(slots=True)
class Correspondent:
    """What has come from one process: letters whole, in order and once each, whatever was sent twice."""

    _last: int = 0
    _number: int = 0
    _texts: list[str] = field(default_factory=list)

    def add(self, piece: Piece) -> Letter | None:
        """The letter that this piece completes; raises msgspec.DecodeError for one that nobody can read."""
        if piece.number <= self._last:
            return None
        if piece.index == 0:
            self._number, self._texts = piece.number, []
        if (piece.number, piece.index) != (self._number, len(self._texts)):
            return None
        self._texts.append(piece.text)
        if len(self._texts) < piece.count:
            return None
        letter, self._texts, self._last = "".join(self._texts), [], piece.number
        return _DECODER.decode(letter)


_DECODER = msgspec.json.Decoder(Letter)
