"""The pool of connections that every PostgreSQL adapter shares."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from math import inf
from time import monotonic
from types import TracebackType
from typing import Self, TypeAlias
from weakref import WeakKeyDictionary

import msgspec
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.address import address
from adapters.postgres.answered_connection import AnsweredConnection
from adapters.postgres.arrays import Reals, RealsDumper, Uuids, UuidsDumper
from adapters.postgres.refusals import Refusals, WatchedConnection
from adapters.postgres.suitability import LOOK, require_suitable
from adapters.postgres.translation import DatabaseUnavailable, translating
from application.ports.readiness import ComponentHealth, Health
from domain.errors import Unavailable

Connection: TypeAlias = AnsweredConnection

CONNECT_SECONDS = 10.0
PING_SECONDS = 2.0
CHECK_SECONDS = 5.0
CHECK_AFTER_SECONDS = 1.0
SHORT_SECONDS = 30.0
"""What a statement that is always quick, as those of the ledger and of leases are, may take before its line counts as dead."""
GRACE_SECONDS = 10.0
"""How much longer than the server lets a statement run its answer is waited for."""


class Database:
    """A bounded pool of connections, opened by ``async with`` and closed by leaving it.

    Rows come as tuples; json columns are read and written by msgspec. Connections are in autocommit mode outside of
    ``transaction()`` and prepare a statement on its fifth use. A statement may take ``statement_seconds``, and a
    transaction may be idle for ``idle_seconds``: then the server ends it, so that nobody who hangs holds a lock for
    long. What the URL says in its ``options`` goes before both. Where no answer has come ten seconds after that, or
    ``within`` the seconds that a caller gives each of its statements, the connection is given up.

    Opening waits ``connect_seconds`` for a server that does not answer, and so does whoever waits for a connection. It raises at once what waiting cannot cure:
    DatabaseAddressInvalid, DatabaseLoginRefused, DatabaseNotFound, DatabaseTooOld, DatabaseEncodingUnsuitable,
    DatabaseReadOnly, TooManyConnections.
    """

    component = "database"

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        min_size: int = 1,
        max_size: int = 8,
        max_waiting: int = 1000,
        statement_seconds: float = 120,
        idle_seconds: float = 60,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._url = url
        self._connect_seconds = connect_seconds
        self._answer_seconds = statement_seconds + GRACE_SECONDS
        self._options = (
            f"-c statement_timeout={statement_seconds * 1000:.0f}"
            f" -c idle_in_transaction_session_timeout={idle_seconds * 1000:.0f}"
        )
        self._min_size, self._max_size, self._max_waiting = min_size, max_size, max_waiting
        self._opened: AsyncConnectionPool[WatchedConnection] | None = None
        self._returned: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    @property
    def url(self) -> str:
        """The address; one given as a function is asked for only now, when the server behind it runs."""
        return self._url if isinstance(self._url, str) else self._url()

    @property
    def _pool(self) -> AsyncConnectionPool[WatchedConnection]:
        if self._opened is None:
            raise DatabaseUnavailable("the database is not open")
        return self._opened

    async def __aenter__(self) -> Self:
        refusals = Refusals()
        pool = self._unopened(refusals)
        try:
            with translating():
                await pool.open()
                await refusals.unless_refused(pool.wait(self._connect_seconds))
                async with pool.connection() as connection:
                    found = await (await connection.execute(LOOK)).fetchone()
            if found is not None:
                require_suitable(found, self._max_size)
        except BaseException:
            await pool.close(timeout=5)
            raise
        self._opened = pool
        return self

    def _unopened(self, refusals: Refusals) -> AsyncConnectionPool[WatchedConnection]:
        return AsyncConnectionPool(
            address(self.url, application_name="factflow", options=self._options),
            connection_class=WatchedConnection,
            min_size=self._min_size,
            max_size=self._max_size,
            max_waiting=self._max_waiting,
            timeout=self._connect_seconds,
            kwargs={"autocommit": True, "refusals": refusals},
            configure=self._configure,
            check=self._check_unless_just_used,
            reset=self._note_return,
            open=False,
            name="factflow",
        )

    async def _note_return(self, connection: Connection) -> None:
        self._returned[connection] = monotonic()

    async def _check_unless_just_used(self, connection: Connection) -> None:
        # A round trip before every statement would cost as much as the statement; a connection breaks while it idles.
        if monotonic() - self._returned.get(connection, -inf) > CHECK_AFTER_SECONDS:
            with _answering_within(connection, CHECK_SECONDS):
                await AsyncConnectionPool.check_connection(connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close(timeout=5)
            self._opened = None

    @asynccontextmanager
    async def connection(self, *, within: float | None = None) -> AsyncIterator[Connection]:
        """A connection in autocommit mode: each statement is a transaction of its own."""
        with translating():
            async with self._pool.connection() as connection:
                with _answering_within(connection, within or self._answer_seconds):
                    yield connection

    @asynccontextmanager
    async def transaction(self, *, within: float | None = None) -> AsyncIterator[Connection]:
        """A connection in a transaction: a clean exit commits, an exception rolls back."""
        async with self.connection(within=within) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def pipelined(self, *, within: float | None = None) -> AsyncIterator[Connection]:
        """As ``transaction``, with what is asked sent together with the next question, or the end, that needs an answer.

        What is not fetched within can be fetched after it.
        """
        async with self.pipelined_reads(within=within) as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def pipelined_reads(self, *, within: float | None = None) -> AsyncIterator[Connection]:
        """As ``pipelined``, for what only reads.

        PostgreSQL ends the transaction where the pipeline ends, also after an exception.
        """
        async with self.connection(within=within) as connection:
            try:
                async with connection.pipeline():
                    yield connection
            except asyncio.CancelledError:
                # Cut off on its way out, a transaction can stay open that psycopg takes for ended: what the next user
                # of the connection commits would be answered, and lost. The pool throws away what is closed.
                await connection.close()
                raise

    async def connect(self, application_name: str, *, within: float = inf) -> Connection:
        """A connection outside the pool, in autocommit mode, for what needs a session of its own.

        No statement of it is too long that is answered ``within`` the seconds. The caller closes it.
        """
        # The server ends it too: it would go on with what nobody waits for, once for each time that it is tried again.
        options = "" if within == inf else f"-c statement_timeout={within * 1000:.0f}"
        with translating():
            stated = address(self.url, application_name=application_name, options=options)
            connection = await AnsweredConnection.connect(stated, autocommit=True)
        connection.answer_seconds = within
        return connection

    async def check(self) -> ComponentHealth:
        """Whether a statement gets its answer within two seconds."""
        try:
            with translating():
                async with asyncio.timeout(PING_SECONDS), self._pool.connection() as connection:
                    await connection.execute("SELECT 1")
        except TimeoutError:
            message = f"no answer within {PING_SECONDS:g} seconds"
            return ComponentHealth(name=self.component, health=Health.UNHEALTHY, message=message)
        except Unavailable as error:
            return ComponentHealth(name=self.component, health=Health.UNHEALTHY, message=error.message)
        return ComponentHealth(name=self.component, health=Health.HEALTHY)

    async def _configure(self, connection: Connection) -> None:
        connection.answer_seconds = self._answer_seconds
        set_json_dumps(msgspec.json.encode, connection)
        set_json_loads(msgspec.json.decode, connection)
        connection.adapters.register_dumper(Reals, RealsDumper)
        connection.adapters.register_dumper(Uuids, UuidsDumper)


@contextmanager
def _answering_within(connection: Connection, seconds: float) -> Iterator[None]:
    before, connection.answer_seconds = connection.answer_seconds, seconds
    try:
        yield
    finally:
        connection.answer_seconds = before
