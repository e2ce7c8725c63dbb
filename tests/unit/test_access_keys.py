"""API keys: their text, how they stand, and what is done with them."""

from __future__ import annotations

import asyncio
import zlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.api_keys import MemoryApiKeys
from adapters.memory.clock import ManualClock
from adapters.system.id_source import SystemIdSource
from application.access.doorkeeper import GUESSES_PER_MINUTE, KNOWN_SECONDS, Doorkeeper
from application.access.keys import Keys
from domain.access.api_key import ApiKey
from domain.access.errors import (
    ApiKeyExpired,
    ApiKeyNotValid,
    ApiKeyRevoked,
    ApiKeyUnusable,
    InvalidApiKey,
    MalformedApiKey,
    ScopeNotHeld,
    TooManyRequests,
)
from domain.access.key_text import digest_of, hint_of, key_text, require_key
from domain.access.principal import LOCAL, Principal
from domain.access.rate import TokenBucket
from domain.access.scope import FULL, Scope

READ = Scope.parse("*:read")
randomness = st.binary(min_size=32, max_size=32)


@given(st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True), randomness)
def test_a_key_is_a_key_and_hides_itself_in_its_hint(environment: str, random: bytes) -> None:
    text = key_text(environment, random)
    require_key(text)
    assert len(text) == len("ff__") + len(environment) + 43 + 1 + 6
    assert text.startswith(f"ff_{environment}_")
    assert hint_of(text) == text[: len(f"ff_{environment}_") + 4]


@given(randomness, st.data())
def test_a_key_with_a_wrong_character_is_told_by_its_checksum(random: bytes, data: st.DataObject) -> None:
    text = key_text("live", random)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0aZ_").filter(lambda one: one != text[place]))
    with pytest.raises(MalformedApiKey):
        require_key(text[:place] + other + text[place + 1 :])


@pytest.mark.parametrize("text", ["", "ff_", "ff_live_x_y", "Bearer", "ff_live_" + "ä" * 43 + "_" + "0" * 6])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedApiKey):
        require_key(text)


def test_the_checksum_is_crc_32_in_base_62() -> None:
    """So that a scanner of secrets can be taught it."""
    body, _, checksum = key_text("live", bytes(32)).rpartition("_")
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 0
    for digit in checksum:
        number = number * 62 + digits.index(digit)
    assert number == zlib.crc32(body.encode())


class Counting(MemoryApiKeys):
    """Keys that count how often somebody looked for one."""

    looked = 0

    async def find(self, digest: str) -> ApiKey | None:
        self.looked += 1
        return await super().find(digest)


class Desk:
    """Keys over a store, and a doorkeeper before it, at a time that the test sets."""

    def __init__(self, limit: int | None = None) -> None:
        self.clock = ManualClock()
        self.store = Counting()
        self.doorkeeper = Doorkeeper(keys=self.store, clock=self.clock, requests_per_minute=limit)
        self.keys = Keys(
            keys=self.store,
            clock=self.clock,
            ids=SystemIdSource(),
            environment="test",
            changed=self.doorkeeper.forget,
        )

    async def passes(self, seconds: float) -> None:
        await self.clock.advance(seconds)


async def test_only_a_digest_of_a_key_is_kept() -> None:
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    assert text.startswith("ff_test_")
    assert key.digest == digest_of(text)
    assert text not in repr(desk.store)
    holder = await desk.doorkeeper.holder(text)
    assert (holder.owner, holder.scopes) == (f"key:{key.id}", frozenset({READ}))


async def test_nobody_gives_away_more_than_they_have() -> None:
    desk = Desk()
    weak = Principal(owner="key:1", scopes=frozenset({READ, Scope.parse("keys:write")}))
    with pytest.raises(ScopeNotHeld, match="executions:write"):
        await desk.keys.create(weak, name="x", scopes=[Scope.parse("executions:write")])
    strong, _ = await desk.keys.create(LOCAL, name="x", scopes=[FULL])
    for attempt in (desk.keys.rotate(weak, strong.id), desk.keys.revoke(weak, strong.id)):
        with pytest.raises(ScopeNotHeld):
            await attempt
    key, _ = await desk.keys.create(weak, name="y", scopes=[Scope.parse("lineage:read")])
    assert key.created_by == "key:1"


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": "a\nb"}, {"scopes": []}, {"requests_per_minute": 0}]
)
async def test_a_key_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    given: dict[str, object] = {"name": "x", "scopes": [READ], **fields}
    with pytest.raises(InvalidApiKey):
        await Desk().keys.create(LOCAL, **given)  # type: ignore[arg-type]


async def test_a_key_expires() -> None:
    desk = Desk()
    until = desk.clock.now() + timedelta(seconds=60)
    _, text = await desk.keys.create(LOCAL, name="x", scopes=[READ], expires_at=until)
    await desk.passes(59)
    await desk.doorkeeper.holder(text)
    await desk.passes(1)
    with pytest.raises(ApiKeyExpired):
        await desk.doorkeeper.holder(text)
    with pytest.raises(InvalidApiKey):
        await desk.keys.create(LOCAL, name="x", scopes=[READ], expires_at=until)


async def test_after_a_rotation_both_open_until_the_old_one_ends() -> None:
    desk = Desk()
    key, old = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    after, new = await desk.keys.rotate(LOCAL, key.id, keep_seconds=60)
    assert (after.id, after.scopes, after.version) == (key.id, key.scopes, 2)
    assert {(await desk.doorkeeper.holder(text)).owner for text in (old, new)} == {key.owner}
    await desk.passes(60)
    await desk.doorkeeper.holder(new)
    with pytest.raises(ApiKeyExpired, match="rotated"):
        await desk.doorkeeper.holder(old)


async def test_a_rotation_without_overlap_ends_the_old_one_at_once() -> None:
    desk = Desk()
    key, old = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    await desk.doorkeeper.holder(old)
    await desk.keys.rotate(LOCAL, key.id, keep_seconds=0)
    with pytest.raises(ApiKeyNotValid):
        await desk.doorkeeper.holder(old)


async def test_a_revoked_key_opens_nothing_at_once_and_for_good() -> None:
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    await desk.doorkeeper.holder(text)
    revoked = await desk.keys.revoke(LOCAL, key.id)
    assert await desk.keys.revoke(LOCAL, key.id) == revoked
    with pytest.raises(ApiKeyRevoked):
        await desk.doorkeeper.holder(text)
    with pytest.raises(ApiKeyUnusable):
        await desk.keys.rotate(LOCAL, key.id)


async def test_a_look_that_began_before_a_revocation_is_not_relied_on_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store was read before, and answers after."""
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    find, may_answer = desk.store.find, asyncio.Event()

    async def slow(digest: str) -> ApiKey | None:
        found = await find(digest)
        await may_answer.wait()
        return found

    monkeypatch.setattr(desk.store, "find", slow)
    asking = asyncio.create_task(desk.doorkeeper.holder(text))
    await asyncio.sleep(0)
    await desk.keys.revoke(LOCAL, key.id)
    may_answer.set()
    await asking
    with pytest.raises(ApiKeyRevoked):
        await desk.doorkeeper.holder(text)


async def test_what_another_process_revokes_is_known_within_seconds() -> None:
    """The other process has a doorkeeper of its own."""
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    elsewhere = Doorkeeper(keys=desk.store, clock=desk.clock)
    await elsewhere.holder(text)
    await desk.keys.revoke(LOCAL, key.id)
    await elsewhere.holder(text)
    await desk.passes(KNOWN_SECONDS)
    with pytest.raises(ApiKeyRevoked):
        await elsewhere.holder(text)


async def test_the_first_key_is_made_once() -> None:
    """Whoever starts at the same time."""
    desk = Desk()
    made = await asyncio.gather(*(desk.keys.bootstrap(None) for _ in range(5)))
    (text,) = [one for one in made if one is not None]
    assert (await desk.doorkeeper.holder(text)).may(FULL)
    assert await desk.keys.bootstrap(None) is None


async def test_a_first_key_that_is_given_is_added_and_never_revived() -> None:
    desk = Desk()
    text = key_text("prod", bytes(32))
    assert [await desk.keys.bootstrap(text), await desk.keys.bootstrap(text)] == [None, None]
    (key,), total = await desk.keys.list()
    assert (total, (await desk.doorkeeper.holder(text)).owner) == (1, key.owner)
    await desk.keys.revoke(LOCAL, key.id)
    await desk.keys.bootstrap(text)
    with pytest.raises(ApiKeyRevoked):
        await desk.doorkeeper.holder(text)


async def test_a_key_has_its_own_limit_or_that_of_all() -> None:
    desk = Desk(limit=3)
    _, plain = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    _, busy = await desk.keys.create(LOCAL, name="y", scopes=[READ], requests_per_minute=5)
    for text, limit in ((plain, 3), (busy, 5)):
        holder = await desk.doorkeeper.holder(text)
        for _ in range(limit):
            desk.doorkeeper.admit(holder)
        with pytest.raises(TooManyRequests) as error:
            desk.doorkeeper.admit(holder)
        await desk.passes(error.value.retry_after_seconds)
        desk.doorkeeper.admit(holder)


async def guessed(desk: Desk, address: str) -> int:
    """Guess until the address has to wait; returns how many guesses were answered."""
    for number in range(GUESSES_PER_MINUTE + 1):
        with pytest.raises((ApiKeyNotValid, TooManyRequests)) as refused:
            await desk.doorkeeper.holder(key_text("x", number.to_bytes(32, "big")), address=address)
        if isinstance(refused.value, TooManyRequests):
            return number
    raise AssertionError("nobody had to wait")


async def test_whoever_guesses_keys_has_to_wait() -> None:
    """At that address, and without the store being asked."""
    desk = Desk()
    assert await guessed(desk, "a") == GUESSES_PER_MINUTE
    assert desk.store.looked == GUESSES_PER_MINUTE
    with pytest.raises(ApiKeyNotValid):
        await desk.doorkeeper.holder(key_text("x", bytes(32)), address="b")


async def test_whoever_guesses_keys_does_not_shut_out_who_holds_one() -> None:
    """However long it goes on: a key that was found here before is looked up all the same."""
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    await desk.doorkeeper.holder(text, address="a")
    for _ in range(3):
        await desk.passes(KNOWN_SECONDS)
        await guessed(desk, "a")
        assert (await desk.doorkeeper.holder(text, address="a")).owner == key.owner
    await Keys(keys=desk.store, clock=desk.clock, ids=SystemIdSource()).revoke(LOCAL, key.id)
    await desk.passes(KNOWN_SECONDS)
    await guessed(desk, "a")
    with pytest.raises(ApiKeyRevoked):
        await desk.doorkeeper.holder(text, address="a")


async def test_whoever_guesses_keys_does_not_cut_a_rotation_short() -> None:
    """The text before goes on opening, though the key is looked up again at once."""
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    await desk.doorkeeper.holder(text, address="a")
    await guessed(desk, "a")
    await desk.keys.rotate(LOCAL, key.id)
    assert (await desk.doorkeeper.holder(text, address="a")).owner == key.owner


async def test_a_key_that_is_gone_is_a_guess_like_any_other() -> None:
    desk = Desk()
    key, text = await desk.keys.create(LOCAL, name="x", scopes=[READ])
    await desk.doorkeeper.holder(text, address="a")
    await desk.keys.rotate(LOCAL, key.id, keep_seconds=0)
    with pytest.raises(ApiKeyNotValid):
        await desk.doorkeeper.holder(text, address="a")
    assert await guessed(desk, "a") == GUESSES_PER_MINUTE - 1
    before = desk.store.looked
    with pytest.raises(TooManyRequests):
        await desk.doorkeeper.holder(text, address="a")
    assert desk.store.looked == before


@given(st.integers(1, 1000), st.lists(st.floats(0, 10), max_size=60))
def test_a_bucket_lets_no_more_pass_than_it_says(limit: int, waits: list[float]) -> None:
    """In any stretch of time: as many as it holds, and what has flowed in since."""
    now, bucket, passed = 0.0, TokenBucket.per_minute(limit, at=0.0), 0
    for wait in waits:
        now += wait
        bucket, delay = bucket.taken(now)
        passed += not delay
        if delay:
            assert bucket.taken(now + delay + 1e-6)[1] == 0
    assert passed <= limit + now * limit / 60 + 1e-6
