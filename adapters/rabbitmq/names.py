"""The names that queues and topics have in the broker."""

from __future__ import annotations

import re
from hashlib import sha256

LONGEST = 255
RESERVED = "amq."
READABLE_CHARACTERS = 40

# Every client library has these; what else a broker takes, pamqp may refuse.
_PLAIN = re.compile(r"[a-zA-Z0-9_\-.:/]+")
_OTHER = re.compile(r"[^a-zA-Z0-9_\-.:/]+")


def amqp_name(name: str) -> str:
    """The name itself if it is of letters, digits and ``_ - . : /``, at most 255, and not reserved; else abridged.

    Different names stay different, and a name is abridged in the same way by every process.
    """
    if _PLAIN.fullmatch(name) and len(name) <= LONGEST and not name.startswith(RESERVED):
        return name
    readable = _OTHER.sub("-", name[:READABLE_CHARACTERS])
    return f"abridged:{readable}:{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
