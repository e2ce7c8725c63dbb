"""Every operation there is, asked without a key, with keys that do not open it, and with one that does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from yarl import URL

from adapters.http.access.operations import (
    ANY_PRINCIPAL,
    BY_PATH,
    PUBLIC,
    PUBLIC_PATHS,
    READING,
    Operation,
    operation_of,
)
from adapters.http.app import create_app
from adapters.http.settings import HttpSettings
from adapters.yaml.parser import YamlConfigParser
from domain.access.errors import (
    ApiKeyExpired,
    ApiKeyNotValid,
    ApiKeyRevoked,
    NotAuthenticated,
    ScopeMissing,
)
from domain.access.scope import TAGS, Action, Scope
from entrypoints.composition.shipped_templates import shipped_templates
from tests.access import bearing, issued
from tests.http_server import Api, World, serving

KEYED = HttpSettings(needs_keys=True, heartbeat_seconds=0.05)
SAMPLES = {
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "str": "nothing",
    "int": "1",
    "path": "nothing/here",
}


REFUSALS = {
    error.code for error in (NotAuthenticated, ApiKeyNotValid, ApiKeyExpired, ApiKeyRevoked, ScopeMissing)
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A method on a path, and what it does."""

    method: str
    path: str
    operation: Operation


def routes() -> Iterator[tuple[HTTPRoute, HTTPRouteHandler]]:
    """Every route of the application with each of its handlers."""
    for route in create_app(World().bare_application()).routes:
        assert isinstance(route, HTTPRoute)
        yield from ((route, handler) for handler in route.route_handlers)


def sample_path(route: HTTPRoute) -> str:
    """A path of the route, with something for each parameter."""
    parts = [
        part if isinstance(part, str) else SAMPLES[part.type.__name__.lower()]
        for part in route.path_components
    ]
    return "/" + "/".join(parts)


ASKED = [
    Asked(str(method), sample_path(route), operation_of(handler))
    for route, handler in routes()
    for method in sorted(handler.http_methods)
]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(KEYED) as api:
        yield api


async def refusal(api: Api, asked: Asked, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """What an operation refuses a request with: status and error code, "" when it does not refuse."""
    async with api.session.request(asked.method, api.url + asked.path, headers=headers) as answer:
        if answer.status not in {401, 403, 429}:
            return answer.status, ""
        assert answer.content_type == "application/problem+json"
        code = (await answer.json(content_type=None))["error_code"]
        if code in REFUSALS:
            assert answer.headers["www-authenticate"].startswith('Bearer realm="factflow"')
        return answer.status, code


def guarded() -> list[Asked]:
    return [one for one in ASKED if not one.operation.is_public]


def all_but(scope: Scope) -> list[Scope]:
    """Every scope there is that does not cover this one."""
    everything = [Scope(tag, action) for tag in sorted(TAGS) for action in Action]
    everything.append(Scope("*", Action.READ))
    return [one for one in everything if not one.covers(scope)]


async def test_nothing_but_what_is_named_answers_without_a_key(api: Api) -> None:
    answers = {one.path + " " + one.method: await refusal(api, one) for one in ASKED}
    open_ones = {
        name.split()[0] for name, answer in answers.items() if answer[0] != 401 and "OPTIONS" not in name
    }
    assert open_ones == PUBLIC_PATHS | {"/api/v1/system/live", "/api/v1/system/ready"}
    assert {answer[1] for answer in answers.values()} == {"", "not_authenticated"}
    assert len(guarded()) > 90


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/metrics",
            "/metrics/",
            "//metrics",
            "/METRICS",
            "/%6detrics",
            "/docs/../metrics",
            "/docs/%2e%2e/metrics",
        ),
        *("/docs/x", "/schema", "/v1/models", "/v1/models/", "/v1//models", "/%76%31/models"),
        *(
            "/api/v1/keys",
            "/api/v1/keys/",
            "/api/v1//keys",
            "/api/v1/system/live/../../keys",
            "/api%2fv1%2fkeys",
        ),
        *(
            "/api/v1/storage/objects/a%2Fb",
            "/api/v1/storage/objects/a/metadata",
            "/api/v1/storage/objects/%2e%2e/keys",
        ),
    ],
)
async def test_no_way_of_writing_a_path_leads_past_the_keys(api: Api, path: str) -> None:
    """It is refused, or is not there; asking for the head alone is asking."""
    url = URL(api.url + path, encoded=True)
    for method in ("GET", "HEAD"):
        async with api.session.request(method, url, allow_redirects=False) as answer:
            assert answer.status in {400, 401, 404}, method


async def test_a_key_without_the_scope_is_refused(api: Api) -> None:
    """Also one with every other scope there is."""
    for one in guarded():
        if one.operation.scope is not None:
            _, text = issued(api.world, *all_but(one.operation.scope))
            assert await refusal(api, one, bearing(text)) == (403, "scope_missing"), one


async def test_a_key_that_has_expired_is_refused(api: Api) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    _, text = issued(api.world, "*:write", expires_at=past)
    for one in guarded():
        assert await refusal(api, one, bearing(text)) == (401, "api_key_expired"), one


async def test_a_key_that_was_revoked_is_refused(api: Api) -> None:
    _, text = issued(api.world, "*:write", revoked_at=datetime.now(UTC))
    for one in guarded():
        assert await refusal(api, one, bearing(text)) == (401, "api_key_revoked"), one


async def test_a_key_with_just_the_scope_is_let_through(api: Api) -> None:
    """What it is answered there is another question: most of what is asked for does not exist."""
    for one in guarded():
        _, text = issued(api.world, one.operation.scope or "audit:read")
        assert (await refusal(api, one, bearing(text)))[1] not in REFUSALS, one


async def test_whoever_may_write_may_read(api: Api) -> None:
    for one in guarded():
        if one.operation.scope is not None and not one.operation.changes:
            _, text = issued(api.world, Scope(one.operation.scope.tag, Action.WRITE))
            assert (await refusal(api, one, bearing(text)))[1] not in REFUSALS, one


@pytest.mark.parametrize(
    ("path", "body", "scope"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "How many bees?"}]}, "chat:read"),
        ("/v1/embeddings", {"model": "factflow", "input": "bees"}, "chat:read"),
        ("/api/v1/templates/summary/render", {"parameters": {"text": "Bees."}}, "templates:read"),
    ],
)
async def test_what_changes_nothing_is_reading(path: str, body: Any, scope: str) -> None:
    """Asking by OpenAI's protocol and rendering a template: no scope to change things, and no audit entry."""
    world = World(shipped_templates=shipped_templates(YamlConfigParser()))
    async with serving(KEYED, world) as api:
        headers = bearing(issued(world, scope)[1])
        status, answer = await api.ask("POST", path, json=body, headers=headers)
        assert (status, world.audit_log.entries) == (200, []), answer


def test_every_operation_has_a_scope_of_its_tag() -> None:
    """By its tag and its method, unless it is named as an exception."""
    for _, handler in routes():
        operation = operation_of(handler)
        if isinstance(handler.operation_id, str) and operation.name not in PUBLIC | ANY_PRINCIPAL:
            assert operation.scope is not None
            assert operation.scope.tag == min(handler.resolve_tags()).replace(" ", "-")
            is_reading = handler.http_methods == {"GET"} or operation.name in READING
            assert operation.scope.action is (Action.READ if is_reading else Action.WRITE)


def test_every_exception_is_still_an_operation() -> None:
    names = {handler.operation_id for _, handler in routes()}
    assert names >= PUBLIC | ANY_PRINCIPAL | READING
    paths = {route.path for route, _ in routes()}
    assert paths >= PUBLIC_PATHS | BY_PATH.keys()


async def test_an_open_server_describes_itself_without_keys(api: Api) -> None:
    """What it says is what it does."""
    _, keyed = await api.ask("GET", "/openapi.json")
    async with serving() as unguarded:
        _, described = await unguarded.ask("GET", "/openapi.json")
    assert keyed["paths"].keys() == described["paths"].keys()
    assert ("securitySchemes" in keyed["components"], "securitySchemes" in described["components"]) == (
        True,
        False,
    )
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert [one for one in operations if "security" in one or "401" in one["responses"]] == []


def test_the_description_states_the_scopes() -> None:
    """Of every operation, and which errors come of them."""
    from tests.reference.http_api import description

    document = description()
    assert document["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"
    described: dict[str, Any] = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert described["create_config"]["security"] == [{"api_key": ["configs:write"]}]
    assert described["list_dead_letters"]["security"] == [{"api_key": ["dead-letters:read"]}]
    assert described["get_own_key"]["security"] == [{"api_key": []}]
    assert described["get_liveness"]["security"] == []
    guarded = {name: one for name, one in described.items() if one["security"]}
    assert [name for name, one in guarded.items() if not {"401", "429"} <= one["responses"].keys()] == []
