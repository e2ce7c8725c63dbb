"""What a database's address says, and what we add to it; a password never leaves here in a message."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from domain.errors import Invalid

# Without these a connection whose peer has vanished would wait a quarter of an hour for the kernel to notice.
NOTICE_A_DEAD_PEER = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "tcp_user_timeout": 10_000,
}


_HINT = "in a user or password @ : / ? # % are written as %40 %3A %2F %3F %23 %25"


class DatabaseAddressInvalid(Invalid):
    """The database's address cannot be read; in a user or password @ : / ? # % are written as %40 %3A %2F %3F %23 %25."""

    code = "database_address_invalid"


def address(url: str, *, application_name: str, options: str = "") -> str:
    """The address as libpq reads it, with our name and ``-c name=value`` options; what the URL says of the rest holds.

    Raises DatabaseAddressInvalid, without what libpq says: it quotes the part that it cannot read, a password perhaps.
    """
    given = _given(url)
    if given is None:
        raise DatabaseAddressInvalid
    if unreadable := _unreadable(given):
        raise DatabaseAddressInvalid(f"the database's address has no usable {unreadable}; {_HINT}")
    stated = {**NOTICE_A_DEAD_PEER, **given, "application_name": application_name}
    if all_options := f"{options} {given.get('options') or ''}".strip():
        stated["options"] = all_options
    return make_conninfo("", **stated)


def _given(url: str) -> dict[str, Any] | None:
    try:
        return conninfo_to_dict(url)
    except psycopg.Error:
        return None


def _unreadable(given: dict[str, Any]) -> str | None:
    """What libpq would quote as unusable, and what in a URL with an unescaped password is a part of that."""
    for name in ("port", "connect_timeout"):
        parts = str(given.get(name) or "").split(",")
        if any(part and not (part.isascii() and part.isdigit()) for part in parts):
            return name.replace("_", " ")
    # libpq ends the password at the first @, and would ask the network for the rest of it as a host.
    return "host" if "@" in str(given.get("host") or "") else None
