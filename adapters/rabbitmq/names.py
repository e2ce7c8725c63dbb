"""The names that queues and topics have in the broker."""

from __future__ import annotations

from hashlib import sha256

LONGEST_BYTES = 255
RESERVED = "amq."
READABLE_CHARACTERS = 40


def amqp_name(name: str) -> str:
    """The name itself where AMQP can have it; one that is empty, reserved, not UTF-8 or too long is abridged by its digest.

    Different names stay different, and a name is abridged in the same way by every process.
    """
    encoded = name.encode("utf-8", "surrogatepass")
    is_text = "\x00" not in name and not any("\ud800" <= character <= "\udfff" for character in name)
    if encoded and is_text and len(encoded) <= LONGEST_BYTES and not name.startswith(RESERVED):
        return name
    readable = "".join(character for character in name[:READABLE_CHARACTERS] if character.isascii())
    return f"abridged:{readable}:{sha256(encoded).hexdigest()}"
