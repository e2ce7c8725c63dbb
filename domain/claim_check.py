"""Large payloads, which stay in storage while a reference travels in their place."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from domain.digest import Encoded
from domain.errors import NotFound
from domain.json import JsonObject

INLINE_LIMIT_CHARACTERS = 64 * 1024
"""Of a payload as canonical JSON, which is ASCII; what is longer is kept apart."""
REFERENCE = "$claim_check"
"""The one key of a payload that is a reference. No pipeline adapter and no request may send a payload that has it."""
PAYLOADS = "payloads/"


class PayloadGone(NotFound):
    """The message's payload is not in storage any more, or not as it was kept."""

    code = "payload_gone"


def is_large(encoded: Encoded) -> bool:
    """Whether a payload is to be kept apart."""
    return encoded.size > INLINE_LIMIT_CHARACTERS


def reference_to(encoded: Encoded) -> JsonObject:
    """What travels in the place of a payload: ``{"$claim_check": {"hash", "size"}}``."""
    return {REFERENCE: {"hash": encoded.hash, "size": encoded.size}}


def hash_referred_to(payload: JsonObject) -> str | None:
    """The hash of the payload that a reference stands for; None for a payload that is itself."""
    referred = payload.get(REFERENCE)
    if not isinstance(referred, Mapping):
        return None
    known = referred.get("hash")
    return known if isinstance(known, str) else None


def size_referred_to(payload: JsonObject) -> int | None:
    """The size in characters of the payload that a reference stands for; None for a payload that is itself."""
    referred = payload.get(REFERENCE)
    size = referred.get("size") if isinstance(referred, Mapping) else None
    return size if isinstance(size, int) else None


def payload_key(execution_id: UUID, message_id: UUID, hashed: str) -> str:
    """Where the payload of a message is kept. By its hash, so that an attempt which emits something else under the same
    id cannot change what the ledger's row refers to.
    """
    return f"{PAYLOADS}{execution_id}/{message_id}/{hashed}.json"


def execution_of_key(key: str) -> UUID | None:
    """The execution that a kept payload is of; None for a key that is none of ours."""
    if not key.startswith(PAYLOADS):
        return None
    try:
        return UUID(key.removeprefix(PAYLOADS).partition("/")[0])
    except ValueError:
        return None
