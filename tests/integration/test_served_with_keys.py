"""A server process that asks for keys, and the log that only grows."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.translation import NotPermitted
from domain.access.audit import AuditFilter
from domain.access.key_text import key_text
from tests.contracts.access import an_entry
from tests.databases import fresh_database
from tests.integration.served import Served, serving

pytestmark = pytest.mark.slow


def answered(served: Served, key: str | None) -> int:
    """The status of a read with a key."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{served.url}/api/v1/configs", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_first_key_is_printed_once_and_one_that_is_given_is_added(tmp_path: Path) -> None:
    """Over a restart, on an address that other machines reach."""
    (tmp_path / "docs").mkdir()
    given = key_text("test", bytes(range(32)))
    asking = {"FACTFLOW_AUTHENTICATION": "keys", "FACTFLOW_HOST": "0.0.0.0"}
    with serving(tmp_path / "data", tmp_path / "docs", tmp_path / "log", **asking) as served:
        found = re.findall(r"shown this once: (\S+)", served.wait_until_greeted())
        assert len(found) == 1
        assert [answered(served, key) for key in (None, given, found[0])] == [401, 401, 200]
        assert served.stop() == 0
    asking["FACTFLOW_BOOTSTRAP_KEY"] = given
    with serving(tmp_path / "data", tmp_path / "docs", tmp_path / "log", **asking) as served:
        said = served.wait_until_greeted()
        assert "shown this once" not in said
        assert given not in said
        assert [answered(served, key) for key in (None, given, found[0])] == [401, 200, 200]
        assert served.stop() == 0


async def test_nobody_changes_what_is_in_the_audit_log(embedded_postgres_url: str) -> None:
    """Not even whoever can write to the database as the server does."""
    async with fresh_database(embedded_postgres_url) as database:
        log = PostgresAuditLog(database)
        await log.append([an_entry(1), an_entry(2)])
        for statement in (
            "UPDATE audit_entry SET owner = 'x'",
            "DELETE FROM audit_entry",
            "TRUNCATE audit_entry",
        ):
            with pytest.raises(NotPermitted, match="only added to"):
                async with database.connection() as connection:
                    await connection.execute(statement.encode())
        assert (await log.list(AuditFilter(), limit=10)).total == 2
