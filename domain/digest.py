"""What a payload weighs and how it is recognised."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Digest:
    """Hex BLAKE2b-128 of a value's canonical JSON, and the JSON's length in characters."""

    hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload as canonical JSON, with the digest of that text."""

    text: str
    digest: Digest


def digest(value: object) -> Digest:
    """The digest of a value; equal values have equal digests whatever the order of their keys.

    What passes only from adapter to adapter in memory may hold vectors: anything with a buffer counts by its bytes,
    anything else that is not JSON by its type.
    """
    return _digest(_LENIENT.encode(value))


def encode(value: object) -> Encoded:
    """A value as canonical JSON; raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    text = _STRICT.encode(value)
    return Encoded(text, _digest(text))


def _digest(text: str) -> Digest:
    return Digest(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(), len(text)
    )


def _stand_in(value: object) -> str:
    try:
        return memoryview(value).cast("B").hex()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"<{type(value).__qualname__}>"


_LENIENT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_stand_in)
_STRICT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
