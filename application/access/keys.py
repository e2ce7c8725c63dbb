"""API keys: making, reading, rotating and revoking them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.ports.api_keys import ApiKeys
from application.ports.clock import Clock
from application.ports.id_source import IdSource
from domain.access.api_key import ApiKey
from domain.access.errors import ApiKeyChanged, InvalidApiKey, ScopeNotHeld
from domain.access.key_text import RANDOM_BYTES, digest_of, hint_of, key_text, require_key
from domain.access.principal import LOCAL, Principal
from domain.access.scope import FULL, Scope
from domain.identity import derived_id

BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What can be done with API keys. ``changed`` is told of every key that is not any more what it was.

    Whoever makes, rotates or revokes a key must have all its scopes themselves.
    """

    keys: ApiKeys
    clock: Clock
    ids: IdSource
    environment: str = "live"
    changed: Callable[[ApiKey], None] = lambda _: None

    async def create(
        self,
        by: Principal,
        *,
        name: str,
        scopes: Collection[Scope],
        expires_at: datetime | None = None,
        requests_per_minute: int | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which nobody can ask for again; raises InvalidApiKey, ScopeNotHeld."""
        now = self.clock.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidApiKey("a key expires in the future, if at all")
        _require_power(by, scopes)
        text = self._fresh_text()
        key = ApiKey(
            id=self.ids.new_id(),
            name=name,
            digest=digest_of(text),
            hint=hint_of(text),
            scopes=frozenset(scopes),
            created_at=now,
            created_by=by.owner,
            updated_at=now,
            expires_at=expires_at,
            requests_per_minute=requests_per_minute,
        )
        await self.keys.add(key)
        return key, text

    async def get(self, key_id: UUID) -> ApiKey:
        """One key, however it stands; raises ApiKeyNotFound."""
        return await self.keys.get(key_id)

    async def list(
        self, *, is_revoked: bool | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[Sequence[ApiKey], int]:
        """A page of keys, the latest first, and how many there are in all."""
        return await self.keys.list(is_revoked=is_revoked, limit=limit, offset=offset)

    async def rotate(
        self, by: Principal, key_id: UUID, *, keep_seconds: float = 86_400.0
    ) -> tuple[ApiKey, str]:
        """Give a key a new text; the one before opens too for so long, so that its users can change over.

        An older one ends at once. Raises ApiKeyNotFound, ApiKeyChanged, ApiKeyUnusable, ScopeNotHeld.
        """
        before = await self.keys.get(key_id)
        _require_power(by, before.scopes)
        now = self.clock.now()
        until = now + timedelta(seconds=keep_seconds) if keep_seconds > 0 else None
        text = self._fresh_text()
        after = before.rotated(text, old_until=until, at=now)
        await self.keys.replace(after, expected_version=before.version)
        self.changed(before)
        return after, text

    async def revoke(self, by: Principal, key_id: UUID) -> ApiKey:
        """Let a key open nothing any more, for good; again changes nothing.

        Raises ApiKeyNotFound, ApiKeyChanged, ScopeNotHeld.
        """
        before = await self.keys.get(key_id)
        _require_power(by, before.scopes)
        after = before.revoked(at=self.clock.now())
        if after is not before:
            await self.keys.replace(after, expected_version=before.version)
        self.changed(before)
        return after

    async def bootstrap(self, given: str | None) -> str | None:
        """See that there is a first key, with every scope; returns its text when it has just been made.

        A key that is ``given`` is added unless it is known already; without one, a key is made if there is none at all.
        Of several processes that start at once, one makes it. Raises MalformedApiKey.
        """
        if given is not None:
            require_key(given)
            if await self.keys.find(digest_of(given)) is None:
                await self._add_first(given, derived_id("api key", digest_of(given)))
            return None
        _, total = await self.keys.list(limit=1)
        text = self._fresh_text()
        is_first = total == 0 and await self._add_first(text, derived_id("api key", BOOTSTRAP))
        return text if is_first else None

    async def _add_first(self, text: str, key_id: UUID) -> bool:
        now = self.clock.now()
        key = ApiKey(
            id=key_id,
            name=BOOTSTRAP,
            digest=digest_of(text),
            hint=hint_of(text),
            scopes=frozenset({FULL}),
            created_at=now,
            created_by=LOCAL.owner,
            updated_at=now,
        )
        try:
            await self.keys.add(key)
        except ApiKeyChanged:
            return False  # another process was first
        return True

    def _fresh_text(self) -> str:
        return key_text(self.environment, secrets.token_bytes(RANDOM_BYTES))


def _require_power(by: Principal, scopes: Collection[Scope]) -> None:
    missing = sorted(str(scope) for scope in scopes if not by.may(scope))
    if missing:
        raise ScopeNotHeld(f"{ScopeNotHeld.__doc__} Missing: {', '.join(missing)}.")
