"""Which names a queue or topic may have: those of STOMP and of AMQP."""

from __future__ import annotations

import re

MAX_QUEUE_NAME = 200
"""Characters. AMQP allows 255 bytes, of which the scope of an execution takes 42."""

_STOMP = re.compile(r"/(?:queue|topic)/[a-zA-Z0-9_\-.:/]+")
_AMQP = re.compile(r"[a-zA-Z0-9_\-.:]+")


def is_queue_name(name: str) -> bool:
    """Whether brokers accept it: ``/queue/…``, ``/topic/…``, or letters, digits and ``_ - . :`` alone."""
    is_well_formed = _STOMP.fullmatch(name) or _AMQP.fullmatch(name)
    return bool(is_well_formed) and len(name) <= MAX_QUEUE_NAME
