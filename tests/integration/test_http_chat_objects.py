"""Questions about stored objects need the scope that reading objects needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.access.named_objects import READING_OBJECTS
from adapters.http.settings import HttpSettings
from domain.access.scope import Scope
from domain.access.single_sign_on import SingleSignOn
from domain.outbound import networks
from tests.access import bearing, issued
from tests.http_server import Api, World, serving

KEYED = HttpSettings(needs_keys=True, heartbeat_seconds=0.05)
THREADS = "/api/v1/chat/threads"
KEY = "executions/1/read/ledger.md"
SECRET = "A hive holds forty thousand bees."
QUESTION = "How many bees does a hive hold?"
NAMING: list[dict[str, Any]] = [
    {"context_mode": "document", "document": KEY},
    {"context_mode": "attachment", "attachments": [KEY]},
    {"context_mode": "hybrid", "attachments": [KEY]},
]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(KEYED) as api:
        await api.world.storage.write(KEY, SECRET.encode(), content_type="text/markdown")
        yield api


async def told(api: Api, path: str, body: Any, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text of an answer, a stream's too."""
    async with api.session.post(api.url + path, json=body, headers=headers) as answer:
        if answer.status == 403:
            assert 'scope="storage:read"' in answer.headers["www-authenticate"]
        return answer.status, await answer.text()


async def opened(api: Api, headers: dict[str, str]) -> str:
    """The messages of a new thread."""
    _, thread = await api.ask("POST", THREADS, json={}, headers=headers)
    return f"{THREADS}/{thread['id']}/messages"


def asked(messages: str, naming: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every way of asking about objects, but for answers anew."""
    facade = {"model": "factflow", "messages": [{"role": "user", "content": QUESTION}], "factflow": naming}
    return [
        ("/api/v1/chat/complete", {"query": QUESTION, **naming}),
        ("/api/v1/chat/stream", {"query": QUESTION, **naming}),
        (f"{messages}/stream", {"content": QUESTION, **naming}),
        (messages, {"content": QUESTION, **naming}),
        ("/v1/chat/completions", facade),
        ("/v1/chat/completions", {**facade, "stream": True}),
    ]


@pytest.mark.parametrize("naming", NAMING, ids=lambda naming: naming["context_mode"])
async def test_a_question_about_stored_objects_needs_the_scope_to_read_them(
    api: Api, naming: dict[str, Any]
) -> None:
    """In every way that one can be asked; nothing of the object is told without."""
    blind = bearing(issued(api.world, "chat:write", "search:write", "embeddings:write")[1])
    for path, body in asked(await opened(api, blind), naming):
        status, text = await told(api, path, body, blind)
        assert (status, "scope_missing" in text, SECRET in text) == (403, True, False), path
    seeing = bearing(issued(api.world, "chat:write", "storage:read")[1])
    for path, body in asked(await opened(api, seeing), naming):
        status, text = await told(api, path, body, seeing)
        assert (status in {200, 201}, "forty" in text) == (True, True), path


async def test_a_question_about_segments_needs_no_scope_for_objects(api: Api) -> None:
    await api.world.index("bees", SECRET)
    headers = bearing(issued(api.world, "chat:read")[1])
    status, text = await told(api, "/api/v1/chat/complete", {"query": QUESTION}, headers)
    assert (status, SECRET in text) == (200, True)


async def test_an_answer_anew_needs_the_scope_as_well() -> None:
    """Whether the request names objects, or the question did while whoever asked it could still read them."""
    groups = {"asking": frozenset({Scope.parse("chat:write")}), "reading": frozenset({READING_OBJECTS})}
    world = World(sign_on=SingleSignOn(proxies=networks("127.0.0.1"), group_scopes=groups))
    person = {"X-Forwarded-User": "ada", "X-Forwarded-Groups": "asking"}
    seeing = person | {"X-Forwarded-Groups": "asking,reading"}
    async with serving(KEYED, world) as api:
        await world.storage.write(KEY, SECRET.encode(), content_type="text/markdown")
        messages = await opened(api, person)
        _, plain = await api.ask("POST", messages, json={"content": "Hello?"}, headers=person)
        body = {"content": QUESTION, **NAMING[0]}
        _, turn = await api.ask("POST", messages, json=body, headers=seeing)
        plainly, again = (f"{messages}/{one['answer']['id']}/regenerate" for one in (plain, turn))
        assert (await told(api, again, None, seeing))[0] == 201
        for path, given in (
            (again, None),
            (f"{again}/stream", None),
            (plainly, NAMING[1]),
            (f"{plainly}/stream", NAMING[1]),
        ):
            status, answer = await told(api, path, given, person)
            assert (status, "scope_missing" in answer) == (403, True), path
        assert (await told(api, again, {"context_mode": "rag"}, person))[0] == 201


async def test_an_open_server_asks_for_no_scope() -> None:
    async with serving() as api:
        await api.world.storage.write(KEY, SECRET.encode(), content_type="text/markdown")
        body = {"query": QUESTION, **NAMING[0]}
        status, answer = await api.ask("POST", "/api/v1/chat/complete", json=body)
        assert (status, answer["sources"][0]["text"]) == (200, SECRET)
