"""Events of all processes that share one database."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import msgspec

from adapters.postgres.database import Database
from adapters.postgres.event_followers import FollowedElsewhere, FollowedHere
from adapters.postgres.event_letters import Correspondent, Letter, Words, opened
from adapters.postgres.event_link import EventEar
from adapters.postgres.event_outbox import EventOutbox
from application.ports.event_bus import EventBus
from application.ports.readiness import ComponentHealth, Health
from domain.event import Event

log = logging.getLogger(__name__)

BEATS_BELIEVED = 3.5
ECHO_SECONDS = 10.0
MOST_CORRESPONDENTS = 1000
NO_ECHO = (
    "what is told is not heard: LISTEN needs a session, which a pooler in transaction mode does not give"
)


class PostgresEventBus:
    """A bus of this process, joined to those of all others by LISTEN and NOTIFY, while ``async with`` lasts.

    Local listeners get local events at once from ``local``, which also holds what each has not read. Other processes
    are told of all that happens to executions as a whole, and of what happens to their messages while somebody there
    follows it; each says every ``beat_seconds`` what it follows, and is believed for three beats and a half. What happens elsewhere while
    the connection is away is missed. What waits for the database is bounded by ``capacity``, see EventOutbox.
    """

    component = "events"

    def __init__(
        self, database: Database, local: EventBus, *, capacity: int = 10_000, beat_seconds: float = 2.0
    ) -> None:
        self._local, self._capacity, self._beat = local, capacity, beat_seconds
        self._id = uuid4()
        self._here, self._elsewhere = FollowedHere(), FollowedElsewhere()
        self._correspondents: dict[UUID, Correspondent] = {}
        self._is_asking = self._has_news = False
        self._said_at = 0.0
        self._silent_since: float | None = None
        self._ear = EventEar(database, self._receive, self._ask)
        self._outbox = EventOutbox(
            database, self._id, self._words, capacity=capacity, beat_seconds=beat_seconds
        )
        self._open: AsyncExitStack | None = None

    def publish(self, event: Event) -> None:
        self._local.publish(event)
        if self._open is not None and not (event.is_of_message and event.execution_id not in self._elsewhere):
            self._outbox.add(event)

    @asynccontextmanager
    async def listen(
        self, execution_id: UUID | None = None, *, with_messages: bool = True
    ) -> AsyncIterator[AsyncIterator[Event]]:
        async with self._local.listen(execution_id, with_messages=with_messages) as events:
            if not with_messages:
                yield events
                return
            self._tell_if(self._here.add(execution_id))
            try:
                yield events
            finally:
                self._tell_if(self._here.remove(execution_id))

    def is_followed(self, execution_id: UUID) -> bool:
        return execution_id in self._elsewhere or self._local.is_followed(execution_id)

    async def check(self) -> ComponentHealth:
        """Degraded while events do not pass between processes; nothing but their listeners waits for them."""
        trouble = self._ear.trouble or self._outbox.trouble
        if self._open is None:
            trouble = "events do not pass between processes: not open"
        elif trouble is None and self._is_without_echo():
            trouble = NO_ECHO
        return ComponentHealth(
            name=self.component,
            health=Health.HEALTHY if trouble is None else Health.DEGRADED,
            message=trouble,
            details={
                "waiting": len(self._outbox),
                "capacity": self._capacity,
                "dropped": self._outbox.dropped,
            },
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # The ear first: who asks before it listens may miss the answer.
            await stack.enter_async_context(self._ear)
            await stack.enter_async_context(self._outbox)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        opened_, self._open = self._open, None
        if opened_ is not None:
            await opened_.aclose()

    def _is_without_echo(self) -> bool:
        return self._silent_since is not None and monotonic() - self._silent_since > ECHO_SECONDS

    def _tell_if(self, has_changed: bool) -> None:  # noqa: FBT001 (what it is stands in its name)
        if has_changed:
            self._has_news = True
            self._outbox.hurry()

    def _ask(self) -> None:
        """Ask what others follow, having just begun to hear; our own question is the first thing to be heard."""
        self._is_asking, self._silent_since = True, monotonic()
        self._outbox.hurry()

    def _words(self) -> Words:
        """What goes along with events now: what is followed here, when that is new or due, and the question."""
        now = monotonic()
        self._elsewhere.expire(now)
        words: Words = {}
        if self._has_news or (self._here and now - self._said_at > self._beat / 2):
            self._said_at = now
            words["follows"] = [str(each) for each in self._here.executions]
            words["follows_all"] = self._here.everything
        if self._is_asking:
            words["asks"] = True
        self._has_news = self._is_asking = False
        return words

    def _receive(self, payload: str) -> None:
        if (piece := opened(payload)) is None:
            return
        if piece.sender == self._id:
            self._silent_since = None
            return
        try:
            letter = self._correspondent(piece.sender).add(piece)
        except (msgspec.DecodeError, RecursionError) as error:
            log.warning("what another process tells of events cannot be read: %s", error)
            return
        if letter is not None:
            self._read(piece.sender, letter)

    def _correspondent(self, sender: UUID) -> Correspondent:
        known = self._correspondents.pop(sender, None) or Correspondent()
        if len(self._correspondents) >= MOST_CORRESPONDENTS:
            # Whoever has been silent for longest has most likely ended.
            del self._correspondents[next(iter(self._correspondents))]
        self._correspondents[sender] = known
        return known

    def _read(self, sender: UUID, letter: Letter) -> None:
        if letter.follows is not None:
            until = monotonic() + BEATS_BELIEVED * self._beat
            self._elsewhere.renew(sender, letter.follows, everything=letter.follows_all, until=until)
        if letter.asks:
            self._tell_if(bool(self._here))
        for told in letter.events:
            self._local.publish(told.event())
