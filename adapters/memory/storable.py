"""What a store refuses, refused by the doubles in memory too."""

from __future__ import annotations

import json

from domain.message import PayloadRejected


def require_storable(value: object) -> None:
    """Raise PayloadRejected for what JSON in a database cannot hold: other types, NaN, NUL, lone surrogates."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise PayloadRejected(f"a payload cannot be stored as JSON: {error}") from error
    if "\\u0000" in text:
        raise PayloadRejected("a payload cannot be stored as JSON: it has a NUL character")
