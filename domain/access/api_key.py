"""An API key as the server knows it: never its text, which is shown once and kept by nobody here."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.access.errors import (
    ApiKeyExpired,
    ApiKeyNotValid,
    ApiKeyRevoked,
    ApiKeyUnusable,
    InvalidApiKey,
    NotAuthenticated,
)
from domain.access.key_text import digest_of, hint_of
from domain.access.principal import Principal
from domain.access.scope import Scope

MOST_REQUESTS_PER_MINUTE = 1_000_000


class KeyState(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key, which allows ``scopes`` until it expires or is revoked.

    ``digest`` is the hex SHA-256 of its text. After a rotation ``old_digest`` is that of the text before, which opens
    as well up to ``old_until``.
    """

    id: UUID
    name: str
    digest: str
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    updated_at: datetime
    expires_at: datetime | None = None
    requests_per_minute: int | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    old_digest: str | None = None
    old_until: datetime | None = None
    version: int = 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 200 or not self.name.isprintable():
            raise InvalidApiKey("a key has a name of 1 to 200 printable characters")
        if not self.scopes:
            raise InvalidApiKey("a key has at least one scope")
        limit = self.requests_per_minute
        if limit is not None and not 1 <= limit <= MOST_REQUESTS_PER_MINUTE:
            raise InvalidApiKey(f"a key may make 1 to {MOST_REQUESTS_PER_MINUTE} requests a minute")
        if self.expires_at is not None and self.expires_at <= self.created_at:
            raise InvalidApiKey("a key expires after it was made")

    @property
    def owner(self) -> str:
        """How whoever uses it is known."""
        return f"key:{self.id}"

    @property
    def principal(self) -> Principal:
        """Whoever uses it."""
        return Principal(
            owner=self.owner,
            name=self.name,
            scopes=self.scopes,
            key_id=self.id,
            requests_per_minute=self.requests_per_minute,
        )

    def state(self, now: datetime) -> KeyState:
        """How it stands at a moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now
        return KeyState.EXPIRED if is_over else KeyState.ACTIVE

    def require_opened_by(self, digest: str, now: datetime) -> None:
        """Raise a NotAuthenticated unless a text of this digest opens with the key now; takes the same time for all."""
        is_new = hmac.compare_digest(self.digest, digest)
        is_old = hmac.compare_digest(self.old_digest or "", digest)
        if not (is_new or is_old):
            raise ApiKeyNotValid
        if (objection := self._objection(now)) is not None:
            raise objection
        if not is_new and (self.old_until is None or self.old_until <= now):
            raise ApiKeyExpired("the API key was rotated, and the time of the old one is over")

    def _objection(self, now: datetime) -> NotAuthenticated | None:
        match self.state(now):
            case KeyState.REVOKED:
                return ApiKeyRevoked()
            case KeyState.EXPIRED:
                return ApiKeyExpired()
            case _:
                return None

    def rotated(self, text: str, *, old_until: datetime | None, at: datetime) -> ApiKey:
        """The key with a new text; the one before opens as well up to a moment, or no more. Raises ApiKeyUnusable."""
        if self.state(at) is not KeyState.ACTIVE:
            raise ApiKeyUnusable
        keeps = old_until is not None and old_until > at
        return replace(
            self,
            digest=digest_of(text),
            hint=hint_of(text),
            old_digest=self.digest if keeps else None,
            old_until=old_until if keeps else None,
            updated_at=at,
            version=self.version + 1,
        )

    def revoked(self, *, at: datetime) -> ApiKey:
        """The key when it opens nothing any more; again changes nothing."""
        if self.revoked_at is not None:
            return self
        return replace(
            self,
            revoked_at=at,
            old_digest=None,
            old_until=None,
            updated_at=at,
            version=self.version + 1,
        )
