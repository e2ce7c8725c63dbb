"""The window of a route that collects: what is claimed forms groups, and groups are what is worked on."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from application.engine.inbox import Inbox, Key, Work
from application.ports.clock import Clock
from domain.claim_check import REFERENCE, size_referred_to
from domain.conditions import value_at
from domain.digest import encode
from domain.grouping import Groups
from domain.json import JsonObject
from domain.message import Message, Settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is worked on at once: a group, or one message of which it must be seen first where it belongs."""

    works: Sequence[Work]
    is_sorted: bool = True


@dataclass(slots=True, kw_only=True)
class CollectingInbox(Inbox):
    """What waits in a forming group takes no room in the window, but has bounds of its own.

    ``next`` gives the first message of what is complete, ``gathered`` the whole of it. ``is_holding`` is set while any
    group is forming.
    """

    groups: Groups[Work]
    clock: Clock
    is_holding: asyncio.Event = field(default_factory=asyncio.Event)
    _complete: deque[Gathered] = field(default_factory=deque)
    _at_work: dict[Key, Gathered] = field(default_factory=dict)
    _unacknowledged: list[Work] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._complete)

    @property
    def is_all_forming(self) -> bool:
        """Whether of what is held here nothing is at work, about to be, or being settled."""
        return len(self.held) == self.groups.messages

    def put(self, work: Work) -> None:
        """Take a claimed message in, and see to which group it belongs."""
        self.held[work.key] = work
        self._characters += work.characters
        key = self.groups.grouping.key
        payload = work.claim.message.payload
        if key is not None and REFERENCE in payload:
            self._complete.append(Gathered(works=[work], is_sorted=False))
        else:
            self.sort(work, payload)

    def sort(self, work: Work, payload: JsonObject) -> None:
        """Put a message that is held into its group, by what its payload says."""
        work.has_begun = False
        key = self.groups.grouping.key
        value = "" if key is None else json.dumps(value_at(key, payload), sort_keys=True)
        self._beside += 1
        self._characters -= work.characters
        if work.delivery is not None:
            self._unacknowledged.append(work)
        size, now = _bytes(work.claim.message), self.clock.monotonic()
        self._completed(self.groups.add(work, size=size, key=value, now=now))
        self._tell_of_room()

    def flush_due(self) -> None:
        """Complete the groups whose time is up."""
        self._completed(self.groups.due(self.clock.monotonic()))

    def flush(self) -> None:
        """Complete every group."""
        self._completed(self.groups.take_all())

    def take_apart(self, works: Sequence[Work]) -> None:
        """Have each message of a group worked on by itself; after the end they have been put back already."""
        if not self.is_closed:
            self._complete.extend(Gathered(works=[work]) for work in works)

    def next(self) -> Work | None:
        """The first message of what has been complete for longest, taken out to be worked on."""
        if not self._complete or self.is_closed:
            return None
        gathered = self._complete.popleft()
        for work in gathered.works:
            work.has_begun = True
        self._at_work[gathered.works[0].key] = gathered
        return gathered.works[0]

    def gathered(self, work: Work) -> Gathered:
        """What is to be worked on with a message that ``next`` gave; that message alone when it came otherwise."""
        return self._at_work.pop(work.key, None) or Gathered(works=[work])

    def unacknowledged(self) -> Sequence[Work]:
        """Those in forming groups whose deliveries may be acknowledged now; none while the window is full.

        What is acknowledged makes room for more deliveries, which must not come faster than groups are dealt with.
        """
        if not self._unacknowledged or not self.has_room:
            return ()
        works, self._unacknowledged = self._unacknowledged, []
        return [work for work in works if not work.has_begun and work.key in self.held]

    def take_back(self) -> Sequence[Work]:
        """Take out all that is not at work; it stays held until it is settled."""
        self.flush()
        works = [work for gathered in self._complete for work in gathered.works]
        self._complete.clear()
        self._unacknowledged.clear()
        return works

    def close(self) -> Sequence[Settlement]:
        """Give out no more; returns the settlements that put back all that is held."""
        self.take_back()
        return super(CollectingInbox, self).close()

    def _completed(self, groups: Sequence[Sequence[Work]]) -> None:
        for works in groups:
            self._beside -= len(works)
            self._characters += sum(work.characters for work in works)
            self._complete.append(Gathered(works=works))
        if self.groups.messages:
            self.is_holding.set()
        else:
            self.is_holding.clear()


def _bytes(message: Message) -> int:
    """The size of the payload itself, wherever it is kept; canonical JSON is ASCII."""
    referred = size_referred_to(message.payload)
    if referred is not None:
        return referred
    return message.encoded.size if message.encoded else encode(message.payload).size
