"""JSON values as TOON (Token-Oriented Object Notation)."""

from __future__ import annotations

from typing import Any

from toon_format import encode


def toon(value: Any) -> bytes:
    """The value in UTF-8; decoding it gives the value back."""
    return encode(value).encode()
