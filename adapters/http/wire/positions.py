"""Positions in lists that are read from the latest back, as cursors."""

from __future__ import annotations

import base64
import binascii

from application.object_listing import InvalidCursor


def cursor_of(position: int) -> str:
    """A position as a cursor."""
    return base64.urlsafe_b64encode(f"before {position}".encode()).decode()


def position_at(cursor: str | None) -> int | None:
    """The position that a cursor stands for; raises InvalidCursor for what no list has given."""
    if cursor is None:
        return None
    try:
        word, number = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii").split(" ")
        position = int(number)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if word != "before" or not 0 <= position < 2**63:
        raise InvalidCursor
    return position
