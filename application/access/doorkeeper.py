"""Knows who asks, and how often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, inf
from typing import Generic, TypeVar
from uuid import UUID

from application.ports.api_keys import ApiKeys
from application.ports.clock import Clock
from domain.access.api_key import ApiKey
from domain.access.errors import ApiKeyNotValid, MalformedApiKey, TooManyRequests
from domain.access.key_text import digest_of, require_key
from domain.access.principal import Principal
from domain.access.rate import TokenBucket
from domain.access.single_sign_on import SingleSignOn

KNOWN_SECONDS = 5.0
"""How long a key is taken for what it was when it was looked up: what another process changes counts after this."""

STALE = -inf
MOST_KNOWN = 10_000
GUESSES_PER_MINUTE = 60

Name = TypeVar("Name")
Thing = TypeVar("Thing")


class Recent(OrderedDict[Name, Thing], Generic[Name, Thing]):
    """A mapping that forgets what was put into it longest ago when there is too much."""

    def put(self, name: Name, thing: Thing) -> None:
        """Keep a thing as the latest."""
        self[name] = thing
        self.move_to_end(name)
        while len(self) > MOST_KNOWN:
            self.popitem(last=False)


@dataclass(slots=True, kw_only=True)
class Doorkeeper:
    """Recognises principals, counts their requests, and remembers which keys were used.

    Rates hold for this process: of two servers each lets so many pass. ``requests_per_minute`` is for those who have
    no limit of their own; None is no limit.
    """

    keys: ApiKeys
    clock: Clock
    sign_on: SingleSignOn = field(default_factory=SingleSignOn)
    requests_per_minute: int | None = None
    used: dict[UUID, datetime] = field(default_factory=dict)
    _known: Recent[str, tuple[ApiKey, float]] = field(default_factory=Recent)
    _buckets: Recent[str, TokenBucket] = field(default_factory=Recent)
    _forgotten: int = 0

    async def holder(self, text: str, *, address: str = "") -> Principal:
        """Whoever holds the key of this text.

        Raises ApiKeyNotValid, ApiKeyExpired, ApiKeyRevoked, and TooManyRequests for an address that keeps guessing.
        A key that was found here before opens there too: others cannot shut out its holder.
        """
        try:
            require_key(text)
        except MalformedApiKey as error:
            raise ApiKeyNotValid("that is no API key: its form or its checksum is wrong") from error
        digest = digest_of(text)
        key = self._fresh(digest) or await self._looked_up(digest, address)
        now = self.clock.now()
        key.require_opened_by(digest, now)
        self.used[key.id] = now
        return key.principal

    def introduced(self, address: str, user: str, groups: Iterable[str]) -> Principal | None:
        """Whom a proxy at the address introduces; None when nobody trusts it, or it names nobody."""
        return self.sign_on.principal(user, groups) if self.sign_on.trusts(address) else None

    def admit(self, principal: Principal) -> None:
        """Count a request; raises TooManyRequests when there were too many."""
        limit = principal.requests_per_minute or self.requests_per_minute
        if limit is not None:
            self._take(principal.owner, limit, "requests with this API key")

    def forget(self, key: ApiKey) -> None:
        """Look a key up again before the next request with it."""
        self._forgotten += 1
        for digest in {key.digest, key.old_digest or ""} & self._known.keys():
            self._known[digest] = (key, STALE)

    def take_used(self) -> Mapping[UUID, datetime]:
        """When keys were last used, of those that were used since this was asked last."""
        used, self.used = self.used, {}
        return used

    def _fresh(self, digest: str) -> ApiKey | None:
        key, until = self._known.get(digest, (None, STALE))
        return key if self.clock.monotonic() < until else None

    async def _looked_up(self, digest: str, address: str) -> ApiKey:
        guesses = f"guesses from {address}"
        if digest not in self._known:
            self._look(guesses, GUESSES_PER_MINUTE)
        forgotten = self._forgotten
        key = await self.keys.find(digest)
        if key is None:
            self._known.pop(digest, None)
            self._take(guesses, GUESSES_PER_MINUTE, "wrong API keys from this address")
            raise ApiKeyNotValid
        # What was found may be older than what has been forgotten meanwhile, and is then not relied on any further.
        is_fresh = forgotten == self._forgotten
        self._known.put(digest, (key, self.clock.monotonic() + KNOWN_SECONDS if is_fresh else STALE))
        return key

    def _look(self, name: str, limit: int) -> None:
        bucket = self._buckets.get(name)
        if bucket is not None and (wait := bucket.taken(self.clock.monotonic())[1]):
            raise _too_many("wrong API keys from this address", limit, wait)

    def _take(self, name: str, limit: int, what: str) -> None:
        now = self.clock.monotonic()
        bucket = self._buckets.get(name)
        if bucket is None or bucket.capacity != limit:
            bucket = TokenBucket.per_minute(limit, at=now)
        after, wait = bucket.taken(now)
        self._buckets.put(name, after)
        if wait:
            raise _too_many(what, limit, wait)


def _too_many(what: str, limit: int, wait: float) -> TooManyRequests:
    seconds = max(1, ceil(wait))
    return TooManyRequests(
        f"there were too many {what}: {limit} a minute are allowed; try again in {seconds} s",
        retry_after_seconds=seconds,
    )
