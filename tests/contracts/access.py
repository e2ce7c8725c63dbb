"""API keys and the audit log to test, over each store there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.audit_log import MemoryAuditLog
from adapters.postgres.api_keys import PostgresApiKeys
from adapters.postgres.audit_log import PostgresAuditLog
from application.ports.api_keys import ApiKeys
from application.ports.audit_log import AuditLog
from domain.access.api_key import ApiKey
from domain.access.audit import AuditEntry, AuditOutcome
from domain.access.key_text import digest_of, hint_of, key_text
from domain.access.scope import Scope
from tests.databases import SERVERS, fresh_database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment so many seconds on."""
    return NOW + timedelta(seconds=seconds)


def a_text(number: int = 0) -> str:
    """A key's text, another for each number."""
    return key_text("test", number.to_bytes(32, "big"))


def a_key(number: int = 0, **fields: object) -> ApiKey:
    """A key of that text."""
    values = {
        "id": uuid4(),
        "name": f"key {number}",
        "digest": digest_of(a_text(number)),
        "hint": hint_of(a_text(number)),
        "scopes": frozenset({Scope.parse("executions:write"), Scope.parse("*:read")}),
        "created_at": at(number),
        "created_by": "local",
        "updated_at": at(number),
        **fields,
    }
    return ApiKey(**values)  # type: ignore[arg-type]


def an_entry(seconds: float = 0, **fields: object) -> AuditEntry:
    """Somebody did something."""
    values = {
        "at": at(seconds),
        "owner": "key:1",
        "name": "nächtlich",
        "operation": "create_config",
        "method": "POST",
        "object": "/api/v1/configs",
        "outcome": AuditOutcome.DONE,
        "status": 201,
        "request_id": f"request-{seconds}",
        "address": "192.0.2.1",
        **fields,
    }
    return AuditEntry(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Gatehouse:
    """The two sides of one store."""

    keys: ApiKeys
    log: AuditLog


@pytest.fixture(params=["memory", *SERVERS])
async def gatehouse(request: pytest.FixtureRequest) -> AsyncIterator[Gatehouse]:
    """Each store there is."""
    if request.param == "memory":
        yield Gatehouse(MemoryApiKeys(), MemoryAuditLog())
        return
    async with fresh_database(request.getfixturevalue("postgres_url")) as database:
        yield Gatehouse(PostgresApiKeys(database), PostgresAuditLog(database))
