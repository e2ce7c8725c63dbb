"""API keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter, SkipValidation

from adapters.http.access.principal import RequestPrincipal
from adapters.http.wire.keys import (
    KeyCreateRequest,
    KeyListResponse,
    KeyResponse,
    KeyRotateRequest,
    KeySecretResponse,
    PrincipalResponse,
    key_list_response,
    key_response,
    key_secret_response,
    principal_response,
)
from adapters.http.wire.pages import Limit, Offset
from application.access.keys import Keys
from domain.access.errors import (
    ApiKeyChanged,
    ApiKeyNotFound,
    ApiKeyUnusable,
    InvalidApiKey,
    InvalidScope,
    ScopeNotHeld,
)
from domain.access.scope import Scope

UseCase = NamedDependency[SkipValidation[Keys]]
KeyId = Annotated[UUID, PathParameter(description="The key's id.")]


class KeysController(Controller):
    path = "/api/v1/keys"
    tags = ("keys",)

    @post(
        operation_id="create_key",
        summary="Make an API key",
        opt={"errors": (InvalidApiKey, InvalidScope, ScopeNotHeld, ApiKeyChanged)},
    )
    async def create(
        self, keys: UseCase, principal: RequestPrincipal, data: JSONBody[KeyCreateRequest]
    ) -> Response[KeySecretResponse]:
        """The key is in this answer and in no other: only its SHA-256 is kept."""
        key, text = await keys.create(
            principal,
            name=data.name,
            scopes=[Scope.parse(one) for one in data.scopes],
            expires_at=data.expires_at,
            requests_per_minute=data.requests_per_minute,
        )
        headers = {"location": f"{self.path}/{key.id}", "cache-control": "no-store"}
        return Response(key_secret_response(key, text, keys.clock.now()), headers=headers)

    @get(operation_id="list_keys", summary="List API keys")
    async def list_all(
        self,
        keys: UseCase,
        is_revoked: Annotated[
            bool | None, QueryParameter(description="Only those that are, or are not.")
        ] = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> KeyListResponse:
        """The latest first, without what opens anything."""
        page, total = await keys.list(is_revoked=is_revoked, limit=limit, offset=offset)
        return key_list_response(page, keys.clock.now(), total=total, limit=limit, offset=offset)

    @get("/self", operation_id="get_own_key", summary="Tell who asks")
    async def own(self, principal: RequestPrincipal) -> PrincipalResponse:
        """Whoever is recognised may ask this, whatever their scopes."""
        return principal_response(principal)

    @get(
        "/{key_id:uuid}",
        operation_id="get_key",
        summary="Read an API key",
        opt={"errors": (ApiKeyNotFound,)},
    )
    async def read(self, keys: UseCase, key_id: KeyId) -> KeyResponse:
        """What it allows, how it stands, and when it was last used, to within ten seconds."""
        return key_response(await keys.get(key_id), keys.clock.now())

    @post(
        "/{key_id:uuid}/rotate",
        status_code=200,
        operation_id="rotate_key",
        summary="Give an API key a new text",
        opt={"errors": (ApiKeyNotFound, ApiKeyChanged, ApiKeyUnusable, ScopeNotHeld)},
    )
    async def rotate(
        self,
        keys: UseCase,
        principal: RequestPrincipal,
        key_id: KeyId,
        data: JSONBody[KeyRotateRequest | None] = None,
    ) -> Response[KeySecretResponse]:
        """The text before opens as well for a day unless said otherwise. Id, scopes and what it owns stay."""
        asked = data or KeyRotateRequest()
        key, text = await keys.rotate(principal, key_id, keep_seconds=asked.keep_old_seconds)
        body = key_secret_response(key, text, keys.clock.now())
        return Response(body, headers={"cache-control": "no-store"})

    @delete(
        "/{key_id:uuid}",
        operation_id="revoke_key",
        summary="Revoke an API key",
        opt={"errors": (ApiKeyNotFound, ApiKeyChanged, ScopeNotHeld)},
    )
    async def revoke(self, keys: UseCase, principal: RequestPrincipal, key_id: KeyId) -> None:
        """For good: here at once, on other servers of the same database within five seconds. Twice is no error."""
        await keys.revoke(principal, key_id)
