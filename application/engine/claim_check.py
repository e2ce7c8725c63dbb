"""Keeps large payloads in storage, and brings them back for whoever processes their message."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from application.ports.object_storage import ObjectStorage
from domain.claim_check import PayloadGone, hash_referred_to, is_large, payload_key, reference_to
from domain.digest import Encoded, encode, hash_of
from domain.message import Message
from domain.storage import ObjectNotFound

AT_ONCE = 16
CONTENT_TYPE = "application/json"


async def checked_in(storage: ObjectStorage, messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with their large payloads in storage and references in their place; raises Unavailable.

    They are kept before the ledger has heard of the messages, under keys that a second attempt writes again. What no
    message refers to in the end goes with its execution.
    """
    large = [place for place, message in enumerate(messages) if _is_large(message)]
    if not large:
        return messages
    kept = list(messages)
    for begin in range(0, len(large), AT_ONCE):
        places = large[begin : begin + AT_ONCE]
        written = await asyncio.gather(*(_kept_apart(storage, messages[place]) for place in places))
        for place, message in zip(places, written, strict=True):
            kept[place] = message
    return kept


async def checked_out(storage: ObjectStorage, message: Message) -> Message:
    """The message with its payload itself; raises PayloadGone, Unavailable."""
    hashed = hash_referred_to(message.payload)
    if hashed is None:
        return message
    key = payload_key(message.execution_id, message.id, hashed)
    try:
        content = await storage.read(key)
    except ObjectNotFound as error:
        raise PayloadGone(f"the payload of message {message.id} is not in storage any more: {key}") from error
    text = content.decode("utf-8", "replace")
    if hash_of(text) != hashed:
        raise PayloadGone(
            f"the payload of message {message.id} is in storage, but another one than was kept: {key}"
        )
    return replace(message, payload=json.loads(text), encoded=Encoded(text, hashed))


async def lost_payloads(storage: ObjectStorage, messages: Sequence[Message]) -> frozenset[UUID]:
    """The ids of those messages whose payloads are not in storage any more; reads none of them. Raises Unavailable."""
    keys = {
        message.id: payload_key(message.execution_id, message.id, hashed)
        for message in messages
        if (hashed := hash_referred_to(message.payload)) is not None
    }
    apart, lost = list(keys), set[UUID]()
    for begin in range(0, len(apart), AT_ONCE):
        part = apart[begin : begin + AT_ONCE]
        found = await asyncio.gather(*(_is_kept(storage, keys[message_id]) for message_id in part))
        lost |= {message_id for message_id, is_kept in zip(part, found, strict=True) if not is_kept}
    return frozenset(lost)


async def _is_kept(storage: ObjectStorage, key: str) -> bool:
    try:
        await storage.head(key)
    except ObjectNotFound:
        return False
    return True


def _is_large(message: Message) -> bool:
    if message.encoded is not None:
        return is_large(message.encoded)
    try:
        return is_large(encode(message.payload))
    except (TypeError, ValueError, RecursionError):
        return False  # no JSON: the ledger refuses it and says why


async def _kept_apart(storage: ObjectStorage, message: Message) -> Message:
    encoded = message.encoded or encode(message.payload)
    await storage.write(
        payload_key(message.execution_id, message.id, encoded.hash),
        encoded.text.encode(),
        content_type=CONTENT_TYPE,
        if_absent=True,
    )
    reference = reference_to(encoded)
    return replace(message, payload=reference, encoded=encode(reference))
