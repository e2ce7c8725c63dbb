"""Turns what psycopg raises into our errors, in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from domain.errors import Conflict, FactflowError, Invalid, NotFound, Refused, Unavailable


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or did not answer in time."""

    code = "database_unavailable"


class DatabaseLoginRefused(Refused):
    """The database server does not let the user in."""

    code = "database_login_refused"


class DatabaseNotFound(NotFound):
    """The database server has no database of that name."""

    code = "database_not_found"


class DatabaseReadOnly(Unavailable):
    """The database can only be read now: its server is a standby."""

    code = "database_read_only"


class ValueNotStorable(Invalid):
    """A value cannot be stored in the database."""

    code = "value_not_storable"


class NotPermitted(Refused):
    """The database user lacks a privilege."""

    code = "database_not_permitted"


class StatementRefused(FactflowError):
    """The database refused a statement, which only a defect of ours can bring about."""

    code = "database_statement_refused"


class ConcurrentChange(Conflict):
    """Another transaction changed the same rows; try again."""

    code = "concurrent_change"
    is_passing = True


@contextmanager
def translating() -> Iterator[None]:
    """Let no exception of psycopg out: each becomes one of ours with the original as its cause.

    Deadlocks and serialization failures undo the transaction as a lost connection does: trying again is right,
    so they are Unavailable too. A violated constraint is a ConcurrentChange unless the caller handled it.
    """
    try:
        yield
    except (psycopg.DataError, UnicodeEncodeError) as error:
        raise ValueNotStorable(f"the database refused a value: {_first_line(error)}") from error
    except psycopg.errors.IntegrityError as error:
        raise ConcurrentChange(_first_line(error)) from error
    except (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex) as error:
        # PostgreSQL counts its own limits among the operational errors, but trying again would fail again.
        raise ValueNotStorable(f"the database refused a value: {_first_line(error)}") from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise DatabaseReadOnly from error
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.IdleInTransactionSessionTimeout,
        psycopg_pool.PoolTimeout,
    ) as error:
        raise DatabaseUnavailable(f"the database did not answer: {_first_line(error)}") from error
    except (psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests) as error:
        raise DatabaseUnavailable(f"no connection to the database is to be had: {error}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotPermitted(f"the database user may not do this: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise StatementRefused(f"the database refused a statement: {_first_line(error)}") from error


# A server that lets nobody in says so in its own language, and libpq keeps the code of the error to itself. Where the
# language is not English we wait as for a server that is away, and then say what it said.
_NOT_LET_IN = re.compile(
    r"authentication failed|no password supplied|no pg_hba.conf entry|role .* (does not exist|is not permitted)"
    r"|permission denied for database|server does not support SSL|certificate"
)
_UNKNOWN = re.compile(r'database ".*" (does not exist|is not currently accepting connections)')


def refusal(error: Exception) -> FactflowError | None:
    """Our error for a failure to connect that waiting cannot cure, None for any other."""
    told = _first_line(error)
    if not told.startswith("connection failed:"):
        return None
    if _UNKNOWN.search(told):
        return DatabaseNotFound(f"the database cannot be used: {told}")
    if _NOT_LET_IN.search(told):
        return DatabaseLoginRefused(f"the database server does not let us in: {told}")
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
