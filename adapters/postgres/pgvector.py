"""Whether the database has pgvector, and a version of it that we can use."""

from __future__ import annotations

import logging

import psycopg

from adapters.postgres.database import Connection
from domain.errors import Refused

log = logging.getLogger(__name__)

OLDEST_PGVECTOR = (0, 8, 0)
PGVECTOR_WITHOUT_KNOWN_CORRUPTION = (0, 8, 4)


class PgvectorMissing(Refused):
    """The database has no pgvector extension of version 0.8 or later, and none can be created."""

    code = "pgvector_missing"


_LOOK = """
    SELECT e.extversion, a.default_version, current_database(), current_setting('server_version_num')::integer / 10000,
        to_regtype('halfvec') IS NOT NULL
    FROM (VALUES (1)) AS one
    LEFT JOIN pg_extension e ON e.extname = 'vector'
    LEFT JOIN pg_available_extensions a ON a.name = 'vector'
"""


async def require_pgvector(connection: Connection) -> None:
    """Create the extension unless it is there; warns of a version with known faults, raises PgvectorMissing."""
    row = await (await connection.execute(_LOOK)).fetchone()
    if row is None:
        raise PgvectorMissing
    installed, available, name, server, is_visible = row
    if (told := unusable(installed, available, name=name, server=server)) is not None:
        raise PgvectorMissing(told)
    if _version(installed or available) < PGVECTOR_WITHOUT_KNOWN_CORRUPTION:
        log.warning(
            "pgvector %s has known faults in its indexes; upgrade it to %s or later",
            installed or available,
            _text(PGVECTOR_WITHOUT_KNOWN_CORRUPTION),
        )
    if installed is None:
        await _create(connection, name)
    elif not is_visible:
        raise PgvectorMissing(
            f"pgvector is installed in a schema of {name} that is not on the user's search_path: move it with"
            " ALTER EXTENSION vector SET SCHEMA public, or put its schema on the path"
        )


def unusable(installed: str | None, available: str | None, *, name: str, server: int) -> str | None:
    """Why pgvector cannot be used, with what would help; None when it can."""
    if installed is None and available is None:
        return (
            "the database server has no pgvector: install it there (the package is postgresql-"
            f"{server}-pgvector on Debian and Ubuntu, pgvector_{server} on Red Hat, pgvector in Homebrew; the container image"
            f" is pgvector/pgvector:pg{server}), then let a superuser run CREATE EXTENSION vector in {name}"
        )
    if _version(installed or available) >= OLDEST_PGVECTOR:
        return None
    if installed is not None and _version(available) >= OLDEST_PGVECTOR:
        return (
            f"pgvector {installed} is too old, {_text(OLDEST_PGVECTOR)} or later is needed, and the server has"
            f" {available}: let a superuser run ALTER EXTENSION vector UPDATE in {name}"
        )
    return f"pgvector {installed or available} is too old: upgrade it on the server to {_text(OLDEST_PGVECTOR)} or later"


def _version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (text or "").split(".") if part.isdigit())


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


async def _create(connection: Connection, name: str) -> None:
    try:
        await connection.execute("CREATE EXTENSION vector")
    except psycopg.errors.InsufficientPrivilege as error:
        raise PgvectorMissing(
            f"the user may not create the extension pgvector: let a superuser run CREATE EXTENSION vector in {name}"
        ) from error
