"""What a route of one execution has claimed in this process and not yet settled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from application.engine.weight import born_weight, weight_of
from application.ports.message_queue import Delivery
from domain.message import Claim, Message, Outcome, Settlement

WINDOW = 1024
WINDOW_CHARACTERS = 4 << 20

Key: TypeAlias = tuple[int, int]


def key_of(message_id: UUID, token: UUID) -> Key:
    """By which work is held. Of numbers, which a dict looks up in a fraction of the time that it takes for UUIDs."""
    return message_id.int, token.int


@dataclass(slots=True, kw_only=True, eq=False)
class Work:
    """A claimed message in this process; ``delivery`` is what it came with unless it was handed over at birth.

    ``key`` is of the message and the token: what was born claimed shares its token with its siblings. ``characters``
    is what its payload weighs, ``born`` what its children do that wait to be committed.
    """

    claim: Claim
    delivery: Delivery | None = None
    has_begun: bool = False
    key: Key = field(init=False)
    characters: int = field(init=False)
    born: int = 0

    def __post_init__(self) -> None:
        self.key = key_of(self.claim.message.id, self.claim.token)
        self.characters = weight_of(self.claim.message)

    def given_up(self) -> Settlement:
        """The settlement that puts the message back."""
        return handed_back(
            self.claim.message.id, self.claim.message.execution_id, self.claim.token, has_begun=self.has_begun
        )


@dataclass(slots=True, kw_only=True)
class Inbox:
    """A window of ``WINDOW`` messages, or 4 MiB of their payloads, on the route's part of the ledger.

    ``held`` is everything claimed here by its key, whether it waits, is worked on or is being settled. ``_beside`` are
    so many of them that take no room in the window. What is emitted weighs here until its settlement is committed:
    while that is a window's worth, nothing more is begun.
    """

    held: dict[Key, Work] = field(default_factory=dict)
    is_closed: bool = False
    _waiting: deque[Work] = field(default_factory=deque)
    _reserved: int = 0
    _reserved_characters: int = 0
    _beside: int = 0
    _characters: int = 0
    _born: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _relief: asyncio.Event = field(default_factory=asyncio.Event)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def in_window(self) -> int:
        """How many take room in the window."""
        return len(self.held) - self._beside

    @property
    def has_room(self) -> bool:
        """Whether it would take one more."""
        is_full = self.in_window + self._reserved >= WINDOW or self.is_heavy
        return not is_full and not self.is_closed

    @property
    def is_heavy(self) -> bool:
        """Whether the payloads held are a window's worth, so that no more should be claimed."""
        return self._characters + self._reserved_characters >= WINDOW_CHARACTERS

    @property
    def is_congested(self) -> bool:
        """Whether the children that wait to be committed are a window's worth, so that nothing more should be begun."""
        return self._born >= WINDOW_CHARACTERS

    def reserve(self, weight: int = 0) -> bool:
        """Keep room for one message of so many characters that may be about to come; False when there is none."""
        if not self.has_room:
            return False
        self._reserved += 1
        self._reserved_characters += weight
        return True

    def unreserve(self, weight: int = 0) -> None:
        """Give the room reserved for one message back, or make use of it."""
        self._reserved -= 1
        self._reserved_characters -= weight
        self._tell_of_room()

    def put(self, work: Work) -> None:
        """Take a claimed message in."""
        self.held[work.key] = work
        self._characters += work.characters
        self._waiting.append(work)

    def begin(self, work: Work) -> None:
        """Take in a claimed message that is worked on at once."""
        self.held[work.key] = work
        self._characters += work.characters
        work.has_begun = True

    def hands_in(self, work: Work, children: Sequence[Message]) -> None:
        """A message is to be settled with these children, whatever it was to be settled with before."""
        before, work.born = work.born, born_weight(children) if children else 0
        self._born += work.born - before

    def next(self) -> Work | None:
        """The claim that waits longest, taken out to be worked on."""
        if not self._waiting or self.is_closed:
            return None
        work = self._waiting.popleft()
        work.has_begun = True
        return work

    def settled(self, work: Work) -> bool:
        """Forget a message that is settled; False when it was not held any more."""
        if self.held.pop(work.key, None) is None:
            return False
        self._characters -= work.characters
        self._born -= work.born
        self._tell_of_room()
        return True

    async def lightened(self) -> None:
        """Return when more may be claimed, or when it is closed."""
        while self.is_heavy and not self.is_closed:
            self._relief.clear()
            await self._relief.wait()

    async def relieved(self) -> None:
        """Return when more may be begun, or when it is closed."""
        while self.is_congested and not self.is_closed:
            self._relief.clear()
            await self._relief.wait()

    def take_back(self) -> Sequence[Work]:
        """Take out all that waits and is not begun; it stays held until it is settled."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    async def wait_for_room(self, count: int) -> None:
        """Return when there is room for that many messages, half a window at most, or when it is closed."""
        most = WINDOW - min(count, WINDOW // 2)
        while not self.is_closed and not (self.has_room and self.in_window + self._reserved <= most):
            self._room.clear()
            await self._room.wait()

    def close(self) -> Sequence[Settlement]:
        """Give out no more; returns the settlements that put back all that is held."""
        self.is_closed = True
        self._waiting.clear()
        self._room.set()
        self._relief.set()
        settlements = [work.given_up() for work in self.held.values()]
        self.held.clear()
        return settlements

    def _tell_of_room(self) -> None:
        self._relief.set()
        # Late, so that who waits for room finds enough of it to be worth the wait.
        if self.in_window + self._reserved <= WINDOW // 2:
            self._room.set()


def handed_back(message_id: UUID, execution_id: UUID, token: UUID, *, has_begun: bool) -> Settlement:
    """The settlement that puts a message back which is, or may be, claimed under a token."""
    return Settlement(
        message_id=message_id,
        execution_id=execution_id,
        token=token,
        outcome=Outcome.RELEASE if has_begun else Outcome.HAND_BACK,
    )
