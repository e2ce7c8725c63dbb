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
    """A payload as canonical JSON, with the hash of that text as ``digest`` takes it."""

    text: str
    hash: str

    @property
    def size(self) -> int:
        """The text's length in characters."""
        return len(self.text)


def digest(value: object) -> Digest:
    """The digest of a value; equal values have equal digests whatever the order of their keys.

    What passes only from adapter to adapter in memory may hold vectors: anything with a buffer counts by its bytes,
    anything else that is not JSON by its type.
    """
    text = _LENIENT.encode(value)
    return Digest(_hash(text), len(text))


def encode(value: object) -> Encoded:
    """A value as canonical JSON; raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    text = _STRICT.encode(value)
    return Encoded(text, _hash(text))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _stand_in(value: object) -> str:
    try:
        return memoryview(value).cast("B").hex()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"<{type(value).__qualname__}>"


_LENIENT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_stand_in)
# What holds itself is refused for its depth, so nobody need keep account of what was seen.
_STRICT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False)
