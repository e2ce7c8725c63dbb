"""Turns what psycopg raises into our errors, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool

from domain.errors import Conflict, FactflowError, Invalid, Refused, Unavailable


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached or did not answer in time."""

    code = "database_unavailable"


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
    except (psycopg.OperationalError, psycopg.InterfaceError, psycopg_pool.PoolTimeout) as error:
        raise DatabaseUnavailable(f"the database did not answer: {_first_line(error)}") from error
    except (psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests) as error:
        raise DatabaseUnavailable(f"no connection to the database is to be had: {error}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotPermitted(f"the database user may not do this: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise StatementRefused(f"the database refused a statement: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
