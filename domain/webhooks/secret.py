"""The secrets of a subscription: one in force, and old ones that stay valid for a while after a rotation."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.errors import Conflict, Invalid
from domain.webhooks.signature import PREFIX

MOST_OLD_SECRETS = 10
MAX_SECRET_CHARACTERS = 500
KEY_BYTES = 32


class InvalidSecret(Invalid):
    """A secret has 1 to 500 printable characters."""

    code = "invalid_webhook_secret"


class TooManySecrets(Conflict):
    """Ten old secrets are valid already: wait until one expires, or let the new one replace them at once."""

    code = "too_many_webhook_secrets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret, which appears in no text of this value; one without ``expires_at`` is in force."""

    text: str
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if not (0 < len(self.text) <= MAX_SECRET_CHARACTERS and self.text.isprintable()):
            raise InvalidSecret

    def __repr__(self) -> str:
        return f"Secret(text=***, expires_at={self.expires_at!r})"

    def is_valid(self, now: datetime) -> bool:
        """Whether it still signs."""
        return self.expires_at is None or self.expires_at > now


def secret_of(key: bytes) -> str:
    """A secret in the form of Standard Webhooks, of 24 to 64 random bytes."""
    return PREFIX + base64.b64encode(key).decode()


def rotated(
    secrets: Sequence[Secret], text: str, *, old_until: datetime | None, now: datetime
) -> Sequence[Secret]:
    """The secrets once ``text`` is in force, the newest first; the one before stays valid up to a moment, or ends now.

    Secrets that were old already keep their moments, but end with it now when nothing old is to stay.
    Raises InvalidSecret, TooManySecrets.
    """
    new = Secret(text=text)
    if old_until is None or old_until <= now:
        return (new,)
    old = [
        Secret(text=one.text, expires_at=one.expires_at or old_until)
        for one in secrets
        if one.is_valid(now) and one.text != text
    ]
    if len(old) > MOST_OLD_SECRETS:
        raise TooManySecrets
    return (new, *old)
