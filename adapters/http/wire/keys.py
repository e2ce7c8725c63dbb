"""API keys on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from adapters.http.wire.pages import page_numbers
from domain.access.api_key import MOST_REQUESTS_PER_MINUTE, ApiKey
from domain.access.principal import Principal

MAX_KEEP_SECONDS = 90 * 86_400.0
ScopeText = Annotated[
    str,
    Meta(
        description="A tag or `*`, a colon, `read` or `write`.", max_length=100, examples=["executions:read"]
    ),
]
KeyName = Annotated[str, Meta(min_length=1, max_length=200, examples=["nightly import"])]
KeyText = Annotated[
    str,
    Meta(
        description="The key itself, shown this once.",
        examples=["ff_live_0CtGEmTPJtnG6r9PvNfHgcJ6TqLHu7ss0Sxv2Ya0mXs_1aB2cD"],
    ),
]
Rate = Annotated[int, Meta(ge=1, le=MOST_REQUESTS_PER_MINUTE, examples=[600])]
KeepSeconds = Annotated[float, Meta(ge=0, le=MAX_KEEP_SECONDS, examples=[86_400.0])]


class KeyCreateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to make. Nobody can give more scopes than they have; without `expires_at` it does not expire."""

    name: KeyName
    scopes: Annotated[list[ScopeText], Meta(min_length=1, max_length=100)]
    expires_at: Annotated[datetime, Meta(tz=True, examples=["2027-01-31T12:00:00Z"])] | None = None
    requests_per_minute: Rate | None = None


class KeyRotateRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long the text before opens as well; 0 ends it at once."""

    keep_old_seconds: KeepSeconds = 86_400.0


class KeyResponse(Struct, frozen=True, kw_only=True):
    """A key, without its text: of that `hint` is the beginning. `old_until` is how long the text before opens too."""

    id: UUID
    name: str
    hint: Annotated[str, Meta(examples=["ff_live_0CtG"])]
    scopes: list[ScopeText]
    state: Annotated[str, Meta(description="active, expired or revoked", examples=["active"])]
    created_at: datetime
    created_by: Annotated[str, Meta(examples=["key:01890a5d-ac96-774b-bcce-b302099a8057"])]
    updated_at: datetime
    expires_at: datetime | None
    requests_per_minute: int | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    old_until: datetime | None
    version: int


class KeySecretResponse(KeyResponse, frozen=True, kw_only=True):
    """A key with its text, which is in this answer and in no other."""

    key: KeyText


class KeyListResponse(Struct, frozen=True, kw_only=True):
    """A page of keys, the latest first."""

    keys: list[KeyResponse]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = None


class PrincipalResponse(Struct, frozen=True, kw_only=True):
    """Who asks, and what they may do. `owner` is what is kept for them alone; `key_id` is None without a key."""

    owner: Annotated[str, Meta(examples=["key:01890a5d-ac96-774b-bcce-b302099a8057"])]
    name: str
    scopes: list[ScopeText]
    key_id: UUID | None


def key_response(key: ApiKey, now: datetime) -> KeyResponse:
    """A key as it travels."""
    plain = (
        "id",
        "name",
        "hint",
        "created_at",
        "created_by",
        "updated_at",
        "expires_at",
        "requests_per_minute",
    )
    standing = ("revoked_at", "last_used_at", "version")
    is_kept = key.old_until is not None and key.old_until > now
    return KeyResponse(
        **{name: getattr(key, name) for name in (*plain, *standing)},
        scopes=sorted(map(str, key.scopes)),
        state=key.state(now).value,
        old_until=key.old_until if is_kept else None,
    )


def key_secret_response(key: ApiKey, text: str, now: datetime) -> KeySecretResponse:
    """A key as it travels the one time that its text is shown."""
    return KeySecretResponse(**msgspec.structs.asdict(key_response(key, now)), key=text)


def key_list_response(
    page: Sequence[ApiKey], now: datetime, *, total: int, limit: int, offset: int
) -> KeyListResponse:
    """A page of keys as it travels."""
    return KeyListResponse(
        keys=[key_response(one, now) for one in page],
        **page_numbers(len(page), total=total, limit=limit, offset=offset),
    )


def principal_response(principal: Principal) -> PrincipalResponse:
    """Who asks, as it travels."""
    return PrincipalResponse(
        owner=principal.owner,
        name=principal.name,
        scopes=sorted(map(str, principal.scopes)),
        key_id=principal.key_id,
    )
