"""What every ``ApiKeys`` does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.access.errors import ApiKeyChanged, ApiKeyNotFound
from domain.access.key_text import digest_of
from tests.contracts.access import Gatehouse, a_key, a_text, at, gatehouse

__all__ = ["gatehouse"]


async def test_a_key_comes_back_as_it_was(gatehouse: Gatehouse) -> None:
    """By its id and by the digest of its text."""
    key = a_key(1, expires_at=at(100), requests_per_minute=5, name="für nachts")
    await gatehouse.keys.add(key)
    assert await gatehouse.keys.get(key.id) == key
    assert await gatehouse.keys.find(key.digest) == key
    assert await gatehouse.keys.find(digest_of(a_text(2))) is None
    with pytest.raises(ApiKeyNotFound):
        await gatehouse.keys.get(uuid4())


async def test_neither_an_id_nor_a_text_is_taken_twice(gatehouse: Gatehouse) -> None:
    key = a_key(1)
    outcomes = await asyncio.gather(
        *(gatehouse.keys.add(replace(key, id=uuid4())) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["ApiKeyChanged"] * 4 + ["NoneType"]
    (kept,), _ = await gatehouse.keys.list(limit=10)
    with pytest.raises(ApiKeyChanged):
        await gatehouse.keys.add(a_key(2, id=kept.id))


async def test_a_rotated_key_is_found_by_both_digests(gatehouse: Gatehouse) -> None:
    key = a_key(1)
    await gatehouse.keys.add(key)
    after = key.rotated(a_text(2), old_until=at(60), at=at(2))
    await gatehouse.keys.replace(after, expected_version=1)
    assert await gatehouse.keys.find(digest_of(a_text(1))) == after
    assert await gatehouse.keys.find(digest_of(a_text(2))) == after


async def test_of_two_who_change_a_key_the_second_has_to_look_again(gatehouse: Gatehouse) -> None:
    key, other = a_key(1), a_key(2)
    await gatehouse.keys.add(key)
    await gatehouse.keys.add(other)
    after = key.revoked(at=at(2))
    await gatehouse.keys.replace(after, expected_version=1)
    assert await gatehouse.keys.get(key.id) == after
    with pytest.raises(ApiKeyChanged):
        await gatehouse.keys.replace(after, expected_version=1)
    with pytest.raises(ApiKeyNotFound):
        await gatehouse.keys.replace(replace(after, id=uuid4()), expected_version=1)
    with pytest.raises(ApiKeyChanged):
        await gatehouse.keys.replace(replace(other, digest=key.digest, version=2), expected_version=1)


async def test_the_last_use_only_moves_on(gatehouse: Gatehouse) -> None:
    """Whatever else is changed, and whoever else was used."""
    key, other = a_key(1), a_key(2)
    await gatehouse.keys.add(key)
    await gatehouse.keys.add(other)
    await gatehouse.keys.touch({key.id: at(5), uuid4(): at(9)})
    await gatehouse.keys.touch({key.id: at(4)})
    await gatehouse.keys.replace(key.revoked(at=at(6)), expected_version=1)
    assert (await gatehouse.keys.get(key.id)).last_used_at == at(5)
    assert (await gatehouse.keys.get(other.id)).last_used_at is None


async def test_keys_are_listed_the_latest_first(gatehouse: Gatehouse) -> None:
    keys = [a_key(number) for number in range(5)]
    for key in keys:
        await gatehouse.keys.add(key)
    await gatehouse.keys.replace(keys[2].revoked(at=at(9)), expected_version=1)
    page, total = await gatehouse.keys.list(limit=2, offset=1)
    assert ([one.name for one in page], total) == (["key 3", "key 2"], 5)
    for is_revoked, names in ((True, ["key 2"]), (False, ["key 4", "key 3", "key 1", "key 0"])):
        page, total = await gatehouse.keys.list(is_revoked=is_revoked, limit=10)
        assert ([one.name for one in page], total) == (names, len(names))
