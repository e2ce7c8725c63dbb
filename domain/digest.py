"""What a payload weighs and how it is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from json import encoder


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
    text = _lenient(value)
    return Digest(hash_of(text), len(text))


def encode(value: object) -> Encoded:
    """A value as canonical JSON; raises TypeError, ValueError or RecursionError for what JSON cannot hold."""
    text = _strict(value)
    return Encoded(text, hash_of(text))


def hash_of(text: str) -> str:
    """The hash of a value's canonical JSON, as ``digest`` takes it."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _stand_in(value: object) -> str:
    try:
        return memoryview(value).cast("B").hex()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"<{type(value).__qualname__}>"


def _encoder(default: Callable[[object], object], *, allow_nan: bool) -> Callable[[object], str]:
    """As ``json.JSONEncoder`` with sorted keys and no white space, which makes its inner encoder anew for every value.

    What holds itself is refused for its depth, so nobody need keep account of what was seen.
    """
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:  # pragma: no cover (another Python than CPython)
        return json.JSONEncoder(
            sort_keys=True, separators=(",", ":"), default=default, allow_nan=allow_nan, check_circular=False
        ).encode
    parts = make(None, default, encoder.encode_basestring_ascii, None, ":", ",", True, False, allow_nan)  # noqa: FBT003
    return lambda value: "".join(parts(value, 0))


def _refused(value: object) -> object:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_lenient = _encoder(_stand_in, allow_nan=True)
_strict = _encoder(_refused, allow_nan=False)
