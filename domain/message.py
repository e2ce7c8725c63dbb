"""A message: the unit that moves from route to route, and the rules by which the ledger settles it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from domain.digest import Encoded
from domain.errors import Conflict, Invalid
from domain.identity import derived_id, hashed_id, length_prefixed, masked_id
from domain.json import JsonObject
from domain.storage import StageObject
from domain.values import quickly_made


class MessageTooLarge(Invalid):
    """The message is larger than the limit; large payloads travel as storage keys."""

    code = "message_too_large"


class PayloadRejected(Invalid):
    """The message's payload cannot be stored."""

    code = "payload_rejected"


class EmissionChanged(Conflict):
    """An emission came back under the same key with other content."""

    code = "emission_changed"


class MessageState(StrEnum):
    """Where a message stands in the ledger."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    DONE = "done"
    SKIPPED = "skipped"
    DEAD = "dead"
    CANCELLED = "cancelled"

    @property
    def is_settled(self) -> bool:
        """Whether the engine is finished with the message."""
        return self not in {MessageState.QUEUED, MessageState.CLAIMED}


def hold_together(states: Collection[MessageState | None]) -> bool:
    """Whether messages may be settled as one: all claims hold, or all were settled by these very claims before.

    A state is that of a message under the claim that is to settle it, None where the message has another claim by now.
    """
    return all(state is MessageState.CLAIMED for state in states) or all(
        state is not None and state.is_settled for state in states
    )


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of one execution, addressed to one route.

    ``metadata`` is the provenance accumulated on the way (origin, url, title, document_id);
    ``parent_correlation_id`` is the lineage key of the attempt that emitted it, None for an init message.
    ``encoded`` is the payload as JSON when that is at hand, so that it is encoded once on its way.
    """

    id: UUID
    execution_id: UUID
    route_id: str
    payload: JsonObject
    metadata: JsonObject = field(default_factory=dict)
    parent_id: UUID | None = None
    parent_correlation_id: UUID | None = None
    encoded: Encoded | None = field(default=None, compare=False, repr=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to process a message once: it ends when the token no longer matches.

    ``attempt`` counts from 1 over retries and crashes; ``retries`` only what the adapters failed at.
    """

    message: Message
    token: UUID
    attempt: int
    retries: int = 0


class Outcome(StrEnum):
    """How an attempt ends."""

    DONE = "done"
    SKIPPED = "skipped"
    DEAD = "dead"
    RETRY = "retry"
    RELEASE = "release"
    HAND_BACK = "hand_back"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What is to become of a claimed message, with the children that come into being with it.

    ``RETRY`` and ``RELEASE`` put it back in the queue not before ``not_before``; only ``RETRY`` uses up a retry.
    ``HAND_BACK`` does so with a message that was claimed and never begun: its attempt does not count.
    ``objects`` are what the attempt has kept in storage, told of once each by their keys, whatever its outcome.
    """

    message_id: UUID
    execution_id: UUID
    token: UUID
    outcome: Outcome
    children: Sequence[Message] = ()
    error: JsonObject | None = None
    not_before: datetime | None = None
    objects: Sequence[StageObject] = ()


def init_message_id(execution_id: UUID, generation: int = 1) -> UUID:
    """The id of the message that starts a run."""
    return derived_id("init", execution_id, generation)


def child_id(parent_id: UUID, queue: str, emission_key: str) -> UUID:
    """The id of what a message emitted to a queue under a key (its position unless the adapter gives one)."""
    emitted = (_known_emitted if len(emission_key) <= _SHORT else _emitted)(queue, emission_key)
    return hashed_id(_CHILD_OF + parent_id.int.to_bytes(16, "big") + emitted)


def _emitted(queue: str, emission_key: str) -> bytes:
    return length_prefixed(queue) + length_prefixed(emission_key)


# Made for every message, of parts that come again and again but for one. Types count, because what is equal to a text
# may be written in another way; and keys as long as what they stand for are not worth keeping.
_CHILD_OF = length_prefixed("child") + (16).to_bytes(4, "big")
_SHORT = 100
_known_emitted = lru_cache(maxsize=1024, typed=True)(_emitted)


def correlation_id(message_id: UUID, adapter_index: int, attempt: int) -> UUID:
    """The lineage key of one pipeline adapter's handling of a message in one attempt.

    Message ids are hashes or random already, so one mask for each place and attempt keeps the keys apart.
    """
    return masked_id(message_id, _mask(adapter_index, attempt))


@lru_cache(maxsize=1024)
def _mask(adapter_index: int, attempt: int) -> UUID:
    return derived_id("lineage", adapter_index, attempt)
