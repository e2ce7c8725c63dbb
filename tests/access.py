"""Keys for tests over HTTP."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.access.api_key import ApiKey
from domain.access.key_text import digest_of, hint_of, key_text
from domain.access.scope import Scope
from tests.http_server import World


def issued(world: World, *scopes: str | Scope, **fields: object) -> tuple[ApiKey, str]:
    """A key of the world with these scopes, made an hour ago, and its text."""
    text = key_text("test", secrets.token_bytes(32))
    made = datetime.now(UTC) - timedelta(hours=1)
    key = ApiKey(
        id=uuid4(),
        name="a test",
        digest=digest_of(text),
        hint=hint_of(text),
        scopes=frozenset(Scope.parse(str(one)) for one in scopes),
        created_at=made,
        created_by="local",
        updated_at=made,
    )
    key = replace(key, **fields)  # type: ignore[arg-type]
    world.api_keys.keys[key.id] = key
    return key, text


def bearing(text: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {text}"}
