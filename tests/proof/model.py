"""What executions have to be like after what was done to them, by rules of their own and without an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.crash import SUSPECT_FROM
from domain.json import JsonObject
from domain.message import child_id, init_message_id

MAX_RETRIES = 1
RETRY_SECONDS = 4.0
OUTAGE_SECONDS = 1.0
LIMIT = 3
DESTINATIONS: Mapping[str, tuple[str, ...]] = {"a": ("b", "c"), "b": ("c",), "c": ()}
CONCURRENCY: Mapping[str, int] = {"a": 2, "b": 3, "c": 2}

YAML = f"""
version: "1.0"
routes:
  a:
    inbound: {{queue: a, concurrency: 2}}
    adapters: [{{type: gated}}]
    outbound: [b, c]
  b:
    inbound: {{queue: b, concurrency: 3}}
    adapters: [{{type: gated}}]
    outbound: c
  c:
    inbound: {{queue: c, concurrency: 2}}
    adapters: [{{type: gated}}]
init_message: {{route: a, payload: {{path: "0"}}}}
error_handling: {{max_retries: {MAX_RETRIES}, retry_delay_seconds: {RETRY_SECONDS}}}
"""


class Kind(StrEnum):
    """How a pipeline adapter answers."""

    PASS = "pass"
    EMIT = "emit"
    STREAM = "stream"
    BREAK = "break"
    """A stream that fails after what it has emitted."""
    SKIP = "skip"
    FAIL = "fail"
    REFUSE = "refuse"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how much it emits."""

    kind: Kind
    count: int = 0


@dataclass(slots=True, kw_only=True)
class ModelMessage:
    """A message: ``state`` is open, or how it was settled. It is due at ``due`` at the latest."""

    id: UUID
    execution_id: UUID
    route: str
    payload: JsonObject
    due: datetime
    is_init: bool = False
    state: str = "open"
    retries: int = 0
    crashes: int = 0

    @property
    def is_suspect(self) -> bool:
        """Whether it runs alone."""
        return self.state == "open" and self.crashes >= SUSPECT_FROM

    @property
    def is_guilty(self) -> bool:
        """Whether it has killed enough."""
        return self.is_suspect and self.crashes > max(MAX_RETRIES, SUSPECT_FROM)


@dataclass(slots=True, kw_only=True)
class Model:
    """All executions and messages that there must be. ``possible`` are children of a stream that did not end well:
    those of its chunks that had been committed stay. ``paused`` has an execution, a route or both for each pause.
    """

    status: dict[UUID, str] = field(default_factory=dict)
    messages: dict[UUID, ModelMessage] = field(default_factory=dict)
    possible: dict[UUID, ModelMessage] = field(default_factory=dict)
    paused: set[tuple[UUID | None, str | None]] = field(default_factory=set)

    @property
    def running(self) -> int:
        """How many places are taken."""
        return sum(status == "running" for status in self.status.values())

    def open_messages(self, execution_id: UUID) -> list[ModelMessage]:
        """What keeps an execution from ending."""
        return [
            one for one in self.messages.values() if one.execution_id == execution_id and one.state == "open"
        ]

    def started(self, execution_id: UUID, now: datetime) -> None:
        """An execution with its init message has come into being."""
        init = ModelMessage(
            id=init_message_id(execution_id),
            execution_id=execution_id,
            route="a",
            payload={"path": "0"},
            due=now,
            is_init=True,
        )
        self.status[execution_id] = "running"
        self.messages[init.id] = init

    def replayed(
        self, execution_id: UUID, messages: Mapping[UUID, tuple[str, JsonObject]], now: datetime
    ) -> None:
        """A replay has come into being, with the message that seeds it and those that it replays."""
        self.status[execution_id] = "running"
        for message_id, (route, payload) in messages.items():
            self.messages[message_id] = ModelMessage(
                id=message_id,
                execution_id=execution_id,
                route=route,
                payload=payload,
                due=now,
                is_init=message_id == init_message_id(execution_id),
                state="open" if route in DESTINATIONS else "done",
            )

    def answered(self, message_id: UUID, answer: Answer, *, attempt: int, now: datetime) -> None:
        """An attempt has been settled."""
        message = self.messages[message_id]
        if self.status[message.execution_id] != "running":
            message.state = "cancelled"
            return
        match answer.kind:
            case Kind.PASS | Kind.EMIT | Kind.STREAM if not self._is_changed(message, answer, now):
                message.state = "done"
                self._add(self._children(message, answer, now))
            case Kind.SKIP:
                message.state = "skipped"
            case Kind.UNAVAILABLE:
                message.due = now + timedelta(seconds=OUTAGE_SECONDS * 2.0**attempt)
            case Kind.BREAK | Kind.FAIL if message.retries < MAX_RETRIES:
                message.due = now + timedelta(seconds=RETRY_SECONDS * 2.0**message.retries)
                message.retries += 1
            case _:
                message.state = "dead"
        if message.state == "dead" and message.is_init:
            self.ended(message.execution_id, "failed")
        self._complete(message.execution_id)

    def may_have_emitted(self, message_id: UUID, answer: Answer, now: datetime) -> None:
        """An attempt emitted chunks and did not come to a good end."""
        if answer.kind in {Kind.STREAM, Kind.BREAK}:
            for child in self._children(self.messages[message_id], answer, now):
                self.possible.setdefault(child.id, child)

    def is_paused(self, execution_id: UUID, route: str) -> bool:
        """Whether nothing of a route may begin."""
        scopes = {(execution_id, None), (execution_id, route), (None, route)}
        return bool(scopes & self.paused)

    def redriven(self, message_id: UUID, now: datetime) -> None:
        """A dead message has been put back; of a failed execution also what was cancelled."""
        message = self.messages[message_id]
        back = [message]
        if self.status[message.execution_id] == "failed":
            back += [
                one
                for one in self.messages.values()
                if one.execution_id == message.execution_id and one.state == "cancelled"
            ]
        for one in back:
            one.state, one.due = "open", now
        message.retries, message.crashes = 0, min(message.crashes, SUSPECT_FROM)
        self.status[message.execution_id] = "running"

    def died_with(self, message_ids: Iterable[UUID]) -> None:
        """A process is known to have died with claims on these."""
        for message_id in message_ids:
            message = self.messages.get(message_id) or self.possible.get(message_id)
            if message is not None:
                message.crashes += 1

    def condemned(self, message_ids: Iterable[UUID]) -> None:
        """Of these, which are dead, those that are guilty are so for what they did to their processes."""
        for message_id in message_ids:
            message = self.messages.get(message_id)
            if message is not None and message.is_guilty:
                message.state = "dead"
                if message.is_init:
                    self.ended(message.execution_id, "failed")
                self._complete(message.execution_id)

    def resolve(self, present: Iterable[UUID]) -> None:
        """See which of the possible children there are."""
        there = set(present)
        found = [child for child in self.possible.values() if child.id in there]
        touched = {child.execution_id for child in self.possible.values()}
        self.possible.clear()
        self._add(found)
        for execution_id in touched:
            self._complete(execution_id)
        for child in found:
            if self.status[child.execution_id] != "running" and self.messages[child.id].state == "open":
                self.messages[child.id].state = "cancelled"

    def ended(self, execution_id: UUID, status: str) -> None:
        """An execution has come to an end other than its own: what is left is cancelled."""
        self.status[execution_id] = status
        for message in self.open_messages(execution_id):
            message.state = "cancelled"

    def _complete(self, execution_id: UUID) -> None:
        # What a broken stream has left is open, if it is there.
        is_possible = any(child.execution_id == execution_id for child in self.possible.values())
        is_open = is_possible or self.open_messages(execution_id)
        if self.status[execution_id] == "running" and not is_open:
            self.status[execution_id] = "completed"

    def _is_changed(self, message: ModelMessage, answer: Answer, now: datetime) -> bool:
        """Whether an attempt before this one has emitted something else in the same place, which is an error."""
        children = self._children(message, answer, now)
        known = self.messages
        return any(child.id in known and known[child.id].payload != child.payload for child in children)

    def _add(self, children: Iterable[ModelMessage]) -> None:
        for child in children:
            self.messages.setdefault(child.id, child)

    def _children(self, parent: ModelMessage, answer: Answer, now: datetime) -> list[ModelMessage]:
        is_passing = answer.kind is Kind.PASS
        path = parent.payload["path"]
        paths = [path] if is_passing else [f"{path}.{n}" for n in range(answer.count)]
        return [
            ModelMessage(
                id=child_id(parent.id, route, f"#{position}"),
                execution_id=parent.execution_id,
                route=route,
                payload={"path": path},
                due=now,
            )
            for position, path in enumerate(paths)
            for route in DESTINATIONS[parent.route]
        ]
