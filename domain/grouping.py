"""How the messages of a route are put into groups: when one is complete, and which is let go when too much is held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from domain.identity import hashed_id, length_prefixed

MOST_MESSAGES = 10_000
MOST_BYTES = 64 << 20
LONGEST_FLUSH_SECONDS = 86_400.0

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """When a group of messages is complete; raises ValueError for what cannot be.

    It is by the first of these: it has ``max_messages`` (1 to 10,000); its payloads have ``max_bytes`` of JSON, or the
    next one would make them more (1 to 64 MiB; a payload that is larger by itself is a group by itself);
    ``flush_seconds`` (up to a day) have passed since its first message came; nothing more can come. With a ``key``, a
    field's dotted path as conditions have it, each value of that field has a group of its own.
    """

    max_messages: int = 100
    max_bytes: int = 512 * 1024
    flush_seconds: float = 5.0
    key: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.max_messages <= MOST_MESSAGES:
            raise ValueError(f"max_messages is not between 1 and {MOST_MESSAGES}")
        if not 1 <= self.max_bytes <= MOST_BYTES:
            raise ValueError(f"max_bytes is not between 1 and {MOST_BYTES}")
        if not 0 < self.flush_seconds <= LONGEST_FLUSH_SECONDS:
            raise ValueError(f"flush_seconds is not above 0 and at most {LONGEST_FLUSH_SECONDS:g}")
        if self.key is not None and not all(self.key.split(".")):
            raise ValueError("key is not a path: join keys and list positions by dots, as in `items.0.url`")


@dataclass(slots=True, kw_only=True)
class _Forming(Generic[Item]):
    due: float
    items: list[Item] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True, kw_only=True)
class Groups(Generic[Item]):
    """The groups that are forming, by the value of their key.

    All of them together hold at most ``most_messages`` and ``most_bytes``; what comes above that completes the oldest.
    Moments are seconds of any steady clock.
    """

    grouping: Grouping
    most_messages: int = MOST_MESSAGES
    most_bytes: int = MOST_BYTES
    messages: int = 0
    bytes: int = 0
    _forming: dict[str, _Forming[Item]] = field(default_factory=dict)

    @property
    def next_due(self) -> float | None:
        """When the time of the oldest group is up; None while there is no group."""
        return next((one.due for one in self._forming.values()), None)

    def add(self, item: Item, *, size: int, key: str = "", now: float) -> Sequence[Sequence[Item]]:
        """Put an item of so many bytes into the group of its key; returns the groups that are complete with that."""
        complete = []
        forming = self._forming.get(key)
        if forming is not None and forming.size + size > self.grouping.max_bytes:
            complete.append(self._take(key))
            forming = None
        if forming is None:
            forming = self._forming[key] = _Forming(due=now + self.grouping.flush_seconds)
        forming.items.append(item)
        forming.size += size
        self.messages += 1
        self.bytes += size
        if len(forming.items) >= self.grouping.max_messages or forming.size >= self.grouping.max_bytes:
            complete.append(self._take(key))
        while self.messages > self.most_messages or self.bytes > self.most_bytes:
            complete.append(self._take(next(iter(self._forming))))
        return complete

    def due(self, now: float) -> Sequence[Sequence[Item]]:
        """Take out the groups whose time is up, the oldest first."""
        # In the order in which they were begun, and so in that of their times.
        late = [key for key, one in self._forming.items() if one.due <= now]
        return [self._take(key) for key in late]

    def take_all(self) -> Sequence[Sequence[Item]]:
        """Take out every group as it is, the oldest first."""
        return [self._take(key) for key in list(self._forming)]

    def _take(self, key: str) -> Sequence[Item]:
        forming = self._forming.pop(key)
        self.messages -= len(forming.items)
        self.bytes -= forming.size
        return forming.items


def group_id(message_ids: Iterable[UUID]) -> UUID:
    """The id of a group: the same for the same messages in whatever order, and another one for any others."""
    return hashed_id(length_prefixed("group") + b"".join(sorted(one.bytes for one in message_ids)))
