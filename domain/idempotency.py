"""Doing something once however often it is asked for: the rules of `Idempotency-Key`.

As draft-ietf-httpapi-idempotency-key-header-07 has them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import Conflict, Invalid

MOST_BODY_BYTES = 1024 * 1024
"""What is longer is not kept: a repeat of the request is told that it was done, and no more."""

_PASSING = frozenset({401, 403, 408, 409, 412, 425, 429})
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class InvalidIdempotencyKey(Invalid):
    """An idempotency key is 1 to 255 printable ASCII characters without a space, with or without quotes around them."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(Invalid):
    """The idempotency key was used for another request; a new request needs a new key."""

    code = "idempotency_key_reused"


class IdempotencyInFlight(Conflict):
    """The first request with this idempotency key has not been answered yet; try again later."""

    code = "idempotency_in_flight"
    is_passing = True


class AnswerNotKept(Conflict):
    """This was done already; its answer had a secret or was too long to be kept."""

    code = "answer_not_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What a request was answered; ``body`` is None when that was not to be kept."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = b""


def idempotency_key(text: str) -> str:
    """The key that a header or field states; raises InvalidIdempotencyKey."""
    bare = text.strip()
    if len(bare) >= 2 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    if not _KEY.fullmatch(bare):
        raise InvalidIdempotencyKey
    return bare


def fingerprint(*parts: bytes) -> str:
    """The hex SHA-256 of what makes a request the same; parts are length-prefixed."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def is_final(status: int) -> bool:
    """Whether asking again would be answered the same: done, or wrong whatever the state of things."""
    return 200 <= status < 500 and status not in _PASSING
