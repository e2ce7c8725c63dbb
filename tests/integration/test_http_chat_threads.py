"""Threads over HTTP: whole conversations, streams that are taken up again, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from adapters.memory.models import MemoryLanguageModel
from domain.chat.errors import LanguageModelUnavailable
from tests.http_server import Api, World, events_of, serving
from tests.unit.chat_texts import AlwaysWriting

THREADS = "/api/v1/chat/threads"
BEES = "Bees gather nectar. A hive holds forty thousand bees."


async def world(**options: Any) -> World:
    made = World(**options)
    await made.index("bees", BEES)
    return made


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with serving(world=await world()) as api:
        yield api


async def opened(api: Api, **body: Any) -> str:
    status, thread = await api.ask("POST", THREADS, json=body)
    assert status == 201, thread
    return str(thread["id"])


async def asked(api: Api, thread: str, content: str = "How many bees?", **more: Any) -> dict[str, Any]:
    status, turn = await api.ask("POST", f"{THREADS}/{thread}/messages", json={"content": content, **more})
    assert status == 201, turn
    return dict(turn)


async def texts(api: Api, thread: str, **query: str) -> list[str]:
    _, page = await api.ask("GET", f"{THREADS}/{thread}/messages", params=query)
    return [message["content"] for message in page["messages"]]


async def streamed(api: Api, path: str, **options: Any) -> list[Any]:
    async with api.session.request(options.pop("method", "GET"), api.url + path, **options) as response:
        body = await response.text()
        assert response.status == 200, body
        return events_of(body)


async def test_a_conversation_from_its_first_question_to_its_end(api: Api) -> None:
    thread = await opened(api)
    turn = await asked(api, thread)
    assert turn["question"]["content"] == "How many bees?"
    answer = turn["answer"]
    assert (answer["role"], answer["status"], answer["depth"]) == ("assistant", "complete", 1)
    assert answer["answer"]["citations"][0]["passage"] == "A hive holds forty thousand bees."
    await asked(api, thread, "And where do they live?")
    assert len(await texts(api, thread)) == 4
    _, seen = await api.ask("GET", f"{THREADS}/{thread}")
    assert (seen["title"], seen["title_origin"], seen["message_count"]) == ("How many bees?", "question", 4)
    _, renamed = await api.ask("PATCH", f"{THREADS}/{thread}", json={"title": "Bees"})
    assert (renamed["title"], renamed["title_origin"]) == ("Bees", "given")
    _, named = await api.ask("POST", f"{THREADS}/{thread}/title")
    assert named["title"] == "How many bees?"
    _, found = await api.ask("GET", f"{THREADS}/search", params={"query": "WHERE live"})
    assert [one["excerpt"] for one in found["results"]] == ["And where do they live?"]
    assert (await api.ask("DELETE", f"{THREADS}/{thread}"))[0] == 204
    status, problem = await api.ask("GET", f"{THREADS}/{thread}")
    assert (status, problem["error_code"]) == (404, "thread_not_found")


async def test_threads_and_messages_come_in_pages(api: Api) -> None:
    threads = [await opened(api, title=f"Thread {number}") for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        _, page = await api.ask("GET", THREADS, params={"limit": "2", **cursor})
        assert (page["total"], page["has_more"]) == (5, page["next_cursor"] is not None)
        seen += [thread["id"] for thread in page["threads"]]
        if not page["has_more"]:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == threads[::-1]
    await asked(api, threads[0], "First bees?")
    await asked(api, threads[0], "Second bees?")
    for mode in ({}, {"all_branches": "true"}):
        read: list[str] = []
        cursor = {}
        while True:
            _, page = await api.ask(
                "GET", f"{THREADS}/{threads[0]}/messages", params={"limit": "3", **mode, **cursor}
            )
            read += [message["id"] for message in page["messages"]]
            if not page["has_more"]:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(read) == len(set(read)) == 4
    first, second = [
        await api.ask("GET", f"{THREADS}/search", params={"query": "bees", "limit": "3", **more})
        for more in ({}, {"limit": "9"})
    ]
    assert first[1]["has_more"]
    assert first[1]["results"] == second[1]["results"][:3]


async def test_an_answer_is_regenerated_and_a_thread_branched(api: Api) -> None:
    thread = await opened(api)
    turn = await asked(api, thread)
    messages = f"{THREADS}/{thread}/messages"
    status, again = await api.ask("POST", f"{messages}/{turn['answer']['id']}/regenerate")
    assert (status, again["question"]["id"]) == (201, turn["question"]["id"])
    assert again["answer"]["id"] != turn["answer"]["id"]
    _, page = await api.ask("GET", messages)
    assert page["messages"][-1]["id"] == again["answer"]["id"]
    assert await api.ask("GET", f"{messages}/{again['answer']['id']}") == (200, page["messages"][-1])
    assert len(await texts(api, thread, all_branches="true")) == 3
    status, problem = await api.ask("POST", f"{messages}/{turn['question']['id']}/regenerate")
    assert (status, problem["error_code"]) == (400, "message_not_an_answer")
    status, problem = await api.ask("GET", f"{messages}/{turn['question']['id']}/stream")
    assert (status, problem["error_code"]) == (400, "message_not_an_answer")
    status, branch = await api.ask(
        "POST", f"{THREADS}/{thread}/branch", json={"message_id": turn["answer"]["id"]}
    )
    assert (status, branch["branched_from_message_id"]) == (201, turn["answer"]["id"])
    assert await texts(api, branch["id"]) == await texts(api, thread, leaf=turn["answer"]["id"])


async def test_a_stream_tells_where_its_answer_will_stand_and_can_be_read_again(api: Api) -> None:
    """From any of its events on, to the same end."""
    thread = await opened(api)
    body = {"content": "How many bees?"}
    events = await streamed(api, f"{THREADS}/{thread}/messages/stream", method="POST", json=body)
    assert [events[0].event, events[1].event, events[-1].event] == ["turn", "sources", "done"]
    answer = events[0].data["answer_id"]
    whole = "".join(event.data["content"] for event in events if event.event == "text")
    told = ""
    for event in events[1:]:
        told += event.data.get("content", "") if event.event == "text" else ""
        rest = await streamed(
            api, f"{THREADS}/{thread}/messages/{answer}/stream", headers={"Last-Event-ID": event.id}
        )
        assert told + "".join(one.data["content"] for one in rest if one.event == "text") == whole
        assert [one.event for one in rest][-1:] == ([] if event.event == "done" else ["done"])
    again = await streamed(
        api,
        f"{THREADS}/{thread}/messages/{answer}/regenerate/stream",
        method="POST",
        json={"rag_config": {"max_context_items": 1}},
    )
    assert (again[0].event, again[-1].event) == ("turn", "done")


async def test_whoever_goes_away_finds_the_answer_in_the_thread() -> None:
    """A reader who hangs up, and one who never waited."""
    model = AlwaysWriting()
    async with serving(world=await world(language_model=model)) as api:
        thread = await opened(api)
        url = f"{api.url}{THREADS}/{thread}/messages"
        async with api.session.post(f"{url}/stream", json={"content": "How many bees?"}) as response:
            while b"event: text" not in await response.content.readline():
                pass
            response.close()
        status, problem = await api.ask(
            "POST", f"{THREADS}/{thread}/messages", json={"content": "More bees?"}
        )
        assert (status, problem["error_code"]) == (409, "thread_busy")
        await asyncio.sleep(0.02)
        model.enough.set()
        _, page = await api.ask("GET", f"{THREADS}/{thread}/messages")
        answer = page["messages"][1]["id"]
        assert (await streamed(api, f"{THREADS}/{thread}/messages/{answer}/stream"))[-1].event == "done"
        _, page = await api.ask("GET", f"{THREADS}/{thread}/messages")
        assert page["messages"][1]["content"] == model.written
        assert page["messages"][1]["status"] == "complete"


async def test_a_stream_outside_of_threads_is_taken_up_again() -> None:
    model = AlwaysWriting()
    async with serving(world=await world(language_model=model)) as api:
        last = ""
        async with api.session.post(
            f"{api.url}/api/v1/chat/stream", json={"query": "How many bees?"}
        ) as response:
            for _ in range(40):
                line = (await response.content.readline()).decode()
                last = line.removeprefix("id: ").strip() if line.startswith("id: ") else last
            response.close()
        model.enough.set()
        told = int(last.split(":")[1])
        resuming = {"method": "POST", "json": {"query": "x"}, "headers": {"Last-Event-ID": last}}
        events = await streamed(api, "/api/v1/chat/stream", **resuming)
        rest = "".join(event.data["content"] for event in events if event.event == "text")
        assert model.written[told:] == rest
        stream_id = last.split(":")[0]
        everything = await streamed(api, f"/api/v1/chat/streams/{stream_id}")
        assert everything[0].event == "sources"
        for wrong, status in ((f"{uuid4()}:0:0", 404), ("7", 422), (f"{stream_id}:-1:0", 422)):
            found, _ = await api.ask(
                "POST", "/api/v1/chat/stream", json={"query": "x"}, headers={"Last-Event-ID": wrong}
            )
            assert found == status
        found, _ = await api.ask(
            "GET", f"/api/v1/chat/streams/{stream_id}", headers={"Last-Event-ID": f"{uuid4()}:0:0"}
        )
        assert found == 422


async def test_a_failure_is_a_problem_and_stays_in_the_thread() -> None:
    model = MemoryLanguageModel(LanguageModelUnavailable("it is away"))
    async with serving(world=await world(language_model=model)) as api:
        thread = await opened(api)
        status, problem = await api.ask(
            "POST", f"{THREADS}/{thread}/messages", json={"content": "How many bees?"}
        )
        assert (status, problem["error_code"]) == (503, "language_model_unavailable")
        _, page = await api.ask("GET", f"{THREADS}/{thread}/messages")
        assert page["messages"][1]["status"] == "failed"
        assert page["messages"][1]["error"]["message"] == "it is away"
        answer = page["messages"][1]["id"]
        events = await streamed(api, f"{THREADS}/{thread}/messages/{answer}/stream")
        assert events[-1].event == "error"


async def test_somebody_elses_thread_is_not_found(api: Api) -> None:
    thread = await opened(api)
    turn = await asked(api, thread)
    kept = api.world.conversations.threads
    kept.update({key: replace(one, owner="key:of-somebody-else") for key, one in kept.items()})
    message = f"messages/{turn['answer']['id']}"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "x"}),
        ("DELETE", "", None),
        ("POST", "/branch", {"message_id": turn["answer"]["id"]}),
        ("POST", "/title", None),
        ("GET", "/messages", None),
        ("POST", "/messages", {"content": "x"}),
        ("POST", "/messages/stream", {"content": "x"}),
        ("GET", f"/{message}", None),
        ("GET", f"/{message}/stream", None),
        ("POST", f"/{message}/regenerate", None),
        ("POST", f"/{message}/regenerate/stream", None),
    ):
        status, problem = await api.ask(method, f"{THREADS}/{thread}{path}", json=body)
        assert (status, problem["error_code"]) == (404, "thread_not_found"), (method, path)
    _, page = await api.ask("GET", THREADS)
    assert page["threads"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {"title": ""}, 422),
        ("", {"title": "x" * 201}, 422),
        ("", {"title": "   "}, 400),
        ("", {"owner": "me"}, 422),
        ("", {"title": "a\0b"}, 422),
        ("/{thread}/messages", {}, 422),
        ("/{thread}/messages", {"content": ""}, 422),
        ("/{thread}/messages", {"content": "x" * 10_001}, 422),
        ("/{thread}/messages", {"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, 422),
        ("/{thread}/messages", {"content": "x", "parent_id": str(uuid4())}, 404),
        ("/{thread}/messages", {"content": "x", "context_mode": "document"}, 400),
        ("/{thread}/messages", {"content": "x", "history": []}, 422),
        ("/{thread}/branch", {"message_id": "x"}, 422),
        ("/{thread}/branch", {"message_id": str(uuid4())}, 404),
    ],
)
async def test_bad_input_is_a_clear_problem(api: Api, path: str, body: dict[str, Any], status: int) -> None:
    thread = await opened(api)
    found, problem = await api.ask("POST", THREADS + path.format(thread=thread), json=body)
    assert found == status, problem
    assert problem["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "?cursor=x", "?cursor=2026~x", "?limit=0", "/search", "/search?query=", "/search?query=%2B",
        "/search?query=x&cursor=x", "/{thread}/messages?cursor=-1", "/{thread}/messages?leaf=x",
        "/{thread}/messages?all_branches=true&cursor=7",
    ],
)  # fmt: skip
async def test_a_bad_query_is_a_clear_problem(api: Api, path: str) -> None:
    thread = await opened(api)
    status, problem = await api.ask("GET", THREADS + path.format(thread=thread))
    assert status in {400, 422}, problem
