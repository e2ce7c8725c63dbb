"""Whether a database server is one that we can work on, asked once when it is opened."""

from __future__ import annotations

import logging

from adapters.postgres.translation import DatabaseReadOnly
from domain.errors import Conflict, Invalid

log = logging.getLogger(__name__)

OLDEST_POSTGRES = 15
BESIDE_THE_POOL = 6
"""Connections of one process outside its pool: lineage, events, its lock, its lease; for a while one that builds an index
and one that takes out embeddings."""


class DatabaseTooOld(Conflict):
    """The database server is older than PostgreSQL 15."""

    code = "database_too_old"


class DatabaseEncodingUnsuitable(Conflict):
    """The database does not store texts as UTF-8."""

    code = "database_encoding_unsuitable"


class TooManyConnections(Invalid):
    """The pool may take more connections than the database server allows."""

    code = "too_many_connections"


LOOK = """
    SELECT current_setting('server_version_num')::integer / 10000, current_setting('server_encoding'),
        pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean, current_database(),
        current_setting('max_connections')::integer
            - CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 0
              ELSE current_setting('superuser_reserved_connections')::integer
                + coalesce(current_setting('reserved_connections', true), '0')::integer END,
        (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
        (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""


def require_suitable(found: tuple[int, str, bool, str, int, int | None, int | None, int], pool: int) -> None:
    """Raise for what ``LOOK`` has found when we cannot work with it; warn when it may become a problem."""
    version, encoding, is_read_only, name, for_all, for_user, for_database, in_use = found
    if version < OLDEST_POSTGRES:
        raise DatabaseTooOld(f"the server is PostgreSQL {version}, and {OLDEST_POSTGRES} or later is needed")
    if encoding != "UTF8":
        raise DatabaseEncodingUnsuitable(
            f"the database {name} stores texts as {encoding}, and UTF8 is needed: make another with"
            f" CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if is_read_only:
        raise DatabaseReadOnly(
            f"the database {name} can only be read: its server is a standby, or read-only by default; name the primary,"
            " or several hosts with target_session_attrs=read-write"
        )
    limits = {"max_connections": for_all, "the user's limit": for_user, "the database's limit": for_database}
    limit, allowed = min(
        ((what, limit) for what, limit in limits.items() if limit is not None), key=lambda pair: pair[1]
    )
    _require_room(pool + BESIDE_THE_POOL, allowed, limit, in_use)


def _require_room(wanted: int, allowed: int, limit: str, in_use: int) -> None:
    needs = f"this process may take {wanted} connections to the database ({wanted - BESIDE_THE_POOL} of them pooled)"
    if wanted > allowed:
        raise TooManyConnections(
            f"{needs}, and the server allows {allowed} ({limit}): make the pool smaller or raise the limit"
        )
    if wanted + in_use > allowed:
        log.warning("%s; of the %d that its server allows (%s) %d are in use", needs, allowed, limit, in_use)
