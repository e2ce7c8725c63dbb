"""What every ``AuditLog`` does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.access.audit import AuditEntry, AuditFilter, AuditOutcome
from tests.contracts.access import Gatehouse, an_entry, at, gatehouse

__all__ = ["gatehouse"]


async def found(gatehouse: Gatehouse, **wanted: object) -> list[AuditEntry]:
    page = await gatehouse.log.list(AuditFilter(**wanted), limit=100)  # type: ignore[arg-type]
    assert (page.total, page.is_total_exact, page.following) == (len(page.entries), True, None)
    return [replace(one, position=0) for one in page.entries]


async def test_entries_come_back_the_latest_first(gatehouse: Gatehouse) -> None:
    entries = [an_entry(seconds) for seconds in range(5)]
    await gatehouse.log.append(entries[:3])
    await gatehouse.log.append(entries[3:])
    assert await found(gatehouse) == entries[::-1]


async def test_an_entry_keeps_what_it_says(gatehouse: Gatehouse) -> None:
    nobody = an_entry(
        owner=None, name="", outcome=AuditOutcome.REFUSED, status=401, error_code="not_authenticated"
    )
    await gatehouse.log.append([nobody])
    assert await found(gatehouse) == [nobody]


async def test_the_filter_means_all_that_fit_all_of_it(gatehouse: Gatehouse) -> None:
    mine, other = an_entry(1), an_entry(2, owner="key:2")
    failed = an_entry(3, operation="delete_object", outcome=AuditOutcome.FAILED, status=500)
    await gatehouse.log.append([mine, other, failed])
    assert await found(gatehouse, owner="key:1") == [failed, mine]
    assert await found(gatehouse, owner="key:1", operation="create_config") == [mine]
    assert await found(gatehouse, outcome=AuditOutcome.FAILED) == [failed]
    assert await found(gatehouse, since=at(2), until=at(3)) == [other]
    assert await found(gatehouse, request_id="request-2") == [other]
    assert await found(gatehouse, owner="key:3") == []


async def test_pages_follow_each_other_while_entries_are_added(gatehouse: Gatehouse) -> None:
    entries = [an_entry(seconds) for seconds in range(7)]
    await gatehouse.log.append(entries)
    page = await gatehouse.log.list(AuditFilter(), limit=3)
    await gatehouse.log.append([an_entry(99)])
    seen = [*page.entries]
    while page.following is not None:
        page = await gatehouse.log.list(AuditFilter(), limit=3, before=page.following)
        seen += page.entries
    assert [one.at for one in seen] == [one.at for one in reversed(entries)]
    passed_over = await gatehouse.log.list(AuditFilter(), limit=1, offset=2)
    assert passed_over.entries[0].at == entries[5].at


async def test_only_what_is_older_is_forgotten(gatehouse: Gatehouse) -> None:
    await gatehouse.log.append([an_entry(seconds) for seconds in range(5)])
    assert await gatehouse.log.forget(before=at(3), limit=2) == 2
    assert await found(gatehouse) == [an_entry(seconds) for seconds in (4, 3, 2)]
    assert await gatehouse.log.forget(before=at(3), limit=2) == 1
    assert await gatehouse.log.forget(before=at(3), limit=2) == 0
    assert await found(gatehouse) == [an_entry(4), an_entry(3)]


async def test_positions_only_grow(gatehouse: Gatehouse) -> None:
    """A page that was read from the end stays valid when old entries are removed."""
    await gatehouse.log.append([an_entry(0)])
    await gatehouse.log.forget(before=at(1), limit=10)
    await gatehouse.log.append([an_entry(2), an_entry(3)])
    page = await gatehouse.log.list(AuditFilter(), limit=10)
    later, earlier = page.entries
    assert later.position > earlier.position > 1


@pytest.mark.parametrize("count", [1, 500])
async def test_many_are_added_at_once(gatehouse: Gatehouse, count: int) -> None:
    await gatehouse.log.append([an_entry(seconds) for seconds in range(count)])
    page = await gatehouse.log.list(AuditFilter(), limit=1)
    assert (page.total, page.entries[0].at) == (count, at(count - 1))
