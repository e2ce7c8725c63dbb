"""Embedding slots over HTTP and from the command line: shown, filled, emptied, and what is refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from adapters.memory.embedding_slots import MemoryEmbeddingSlots
from adapters.memory.models import MemoryEmbeddingModel
from adapters.memory.segment_index import MemorySegmentIndex
from adapters.pipeline import embedding_generator, segment_enumerator, segment_retriever, segment_writer
from adapters.system.clock import SystemClock
from adapters.yaml.parser import YamlConfigParser
from application.embedding_models import EmbeddingModels
from application.shipped_configs import ShippedConfigs
from domain.match import SearchMode
from entrypoints.composition.shipping import PACKAGE
from tests.http_server import Api, World, serving
from tests.integration.test_cli_with_api import factflow

EMBEDDINGS = "/api/v1/embeddings"
REEMBED = f"{EMBEDDINGS}/reembed"
PATH = "pipelines/re-embed.yaml"


class GatedModel(MemoryEmbeddingModel):
    """A further slot's model; passages wait until the gate is open, and any with ``broken`` in it fails."""

    def __init__(self) -> None:
        super().__init__(model_name="narrow", dimension=32)
        self.gate = asyncio.Event()
        self.gate.set()

    async def embed(self, texts: Any) -> Any:
        await self.gate.wait()
        if any("broken" in text for text in texts):
            raise ValueError("not this one")
        return await super().embed(texts)


async def world_of(*documents: str, narrow: GatedModel) -> World:
    """Documents of one segment each, which the further slot lacks."""
    world = World()
    for number, text in enumerate(documents):
        await world.index(f"d{number}", text)
    world.other_models = [narrow]
    models = EmbeddingModels(own=world.model, others=[narrow])
    index, slots = MemorySegmentIndex(world.corpus), MemoryEmbeddingSlots(world.corpus)
    world.further_adapters = [
        segment_enumerator.registration(slots, models),
        segment_retriever.registration(index),
        embedding_generator.registration(models),
        segment_writer.registration(index, models),
    ]
    shipping = ShippedConfigs(
        work=world.work,
        parser=YamlConfigParser(),
        registry=world.registry(),
        clock=SystemClock(),
    )
    # Every try of a message that fails would wait for seconds.
    yaml = (
        (files(PACKAGE) / "re-embed.yaml")
        .read_text(encoding="utf-8")
        .replace("max_retries: 3", "max_retries: 0")
    )
    await shipping.import_shipped("re-embed", yaml, PATH)
    return world


@pytest.fixture
def narrow() -> GatedModel:
    """The model of the further slot."""
    return GatedModel()


@pytest.fixture
async def api(narrow: GatedModel) -> AsyncIterator[Api]:
    """Three documents, which the further slot lacks."""
    world = await world_of("Bees gather nectar.", "Zebras graze.", "Ships sail.", narrow=narrow)
    async with serving(world=world) as api:
        yield api


async def finished(api: Api, location: str) -> Any:
    """The run when it is over."""
    for _ in range(500):
        _, run = await api.ask("GET", location)
        if run["status"] != "running":
            return run
        await asyncio.sleep(0.01)
    raise AssertionError(f"{location} does not end")


async def begun(api: Api, **body: Any) -> str:
    """A run that was begun; returns where it is."""
    async with api.session.post(api.url + REEMBED, json=body) as response:
        told = await response.json()
        assert response.status == 202, told
        assert response.headers["location"] == f"{REEMBED}/{told['job_id']}"
        return response.headers["location"]


async def test_slots_are_listed_with_what_they_hold_and_lack(api: Api) -> None:
    """The own one first; one that holds nothing is there with its model."""
    status, told = await api.ask("GET", f"{EMBEDDINGS}/slots")
    assert (status, told["total"], told["has_more"]) == (200, 2, False)
    own, further = told["slots"]
    assert (own["model_name"], own["is_own"], own["is_searchable"], own["segments"]) == (
        "words",
        True,
        True,
        3,
    )
    assert (further["model_name"], further["segments"], further["segments_lacking"]) == ("narrow", 0, 3)
    assert (further["identity"], further["held_identity"], further["is_mixed"]) == (
        "hashed-words/32/256",
        None,
        False,
    )
    assert await api.ask("GET", f"{EMBEDDINGS}/slots/narrow") == (200, further)
    _, second = await api.ask("GET", f"{EMBEDDINGS}/slots", params={"limit": 1, "offset": 1})
    assert (second["slots"], second["total"]) == ([further], 2)
    _, stats = await api.ask("GET", f"{EMBEDDINGS}/stats")
    assert (stats["segments"], stats["vectors"], len(stats["slots"])) == (3, 3, 2)


async def test_texts_are_embedded_for_a_slot(api: Api) -> None:
    """In order; vectors of unit length."""
    body = {"texts": ["bees", "ships sail"], "model_name": "narrow"}
    status, told = await api.ask("POST", EMBEDDINGS, json=body)
    assert (status, told["model_name"], told["dimension"], told["tokens"]) == (200, "narrow", 32, 3)
    assert [math.hypot(*vector) for vector in told["embeddings"]] == [pytest.approx(1.0)] * 2
    assert (await api.ask("POST", EMBEDDINGS, json={"texts": ["bees"]}))[1]["dimension"] == 64


async def test_reembedding_fills_a_slot(api: Api) -> None:
    """Then it is searched; a second run finds nothing to do, and both are listed."""
    location = await begun(api, model_name="narrow")
    run = await finished(api, location)
    assert (run["status"], run["total"], run["embedded"], run["failed"]) == ("completed", 3, 3, 0)
    assert (run["progress"], run["segments_lacking"]) == (1.0, 0)
    body = {"query": "zebras graze", "model_name": "narrow", "limit": 1}
    _, found = await api.ask("POST", "/api/v1/search", json=body)
    assert (found["results"][0]["text"], found["model_name"]) == ("Zebras graze.", "narrow")
    again = await finished(api, await begun(api, model_name="narrow"))
    assert (again["status"], again["total"], again["progress"]) == ("completed", 0, 1.0)
    _, listed = await api.ask("GET", REEMBED)
    assert [one["job_id"] for one in listed["jobs"]] == [again["job_id"], run["job_id"]]
    _, slot = await api.ask("GET", f"{EMBEDDINGS}/slots/narrow")
    assert slot["held_identity"] == slot["identity"] == "hashed-words/32/256"


async def test_reembedding_may_take_some_origins_alone(api: Api) -> None:
    """Of an origin that has nothing there is nothing to do."""
    run = await finished(api, await begun(api, model_name="narrow", origins=["nowhere"]))
    assert (run["total"], run["origins"]) == (0, ["nowhere"])
    run = await finished(api, await begun(api, model_name="narrow", origins=["encyclopedia"]))
    assert (run["total"], run["embedded"]) == (3, 3)


async def test_a_slot_is_filled_by_one_run_at_a_time(api: Api, narrow: GatedModel) -> None:
    """It tells how far it is, and can be cancelled; another does the rest."""
    narrow.gate.clear()
    location = await begun(api, model_name="narrow")
    _, run = await api.ask("GET", location)
    assert (run["status"], run["embedded"], run["progress"]) == ("running", 0, 0.0)
    status, problem = await api.ask("POST", REEMBED, json={"model_name": "narrow"})
    assert (status, problem["error_code"]) == (409, "reembedding_underway")
    status, cancelled = await api.ask("DELETE", location)
    assert (status, cancelled["status"]) == (200, "cancelled")
    _, problem = await api.ask("DELETE", location)
    assert problem["error_code"] == "status_change_not_allowed"
    narrow.gate.set()
    run = await finished(api, await begun(api, model_name="narrow"))
    assert (run["status"], run["embedded"], run["segments_lacking"]) == ("completed", run["total"], 0)


async def test_what_cannot_be_embedded_is_counted_and_the_rest_is_done(narrow: GatedModel) -> None:
    """The dead letters tell why."""
    world = await world_of("Bees gather nectar.", "broken", narrow=narrow)
    async with serving(world=world) as api:
        run = await finished(api, await begun(api, model_name="narrow"))
        assert (run["status"], run["total"], run["embedded"], run["failed"]) == ("completed", 2, 1, 1)
        assert run["segments_lacking"] == 1


async def test_a_slot_of_another_model_is_neither_filled_nor_searched(api: Api, narrow: GatedModel) -> None:
    """Until it is dropped; then its name is free."""
    await finished(api, await begun(api, model_name="narrow"))
    api.world.corpus.identities["narrow"] = "another/32"
    _, slot = await api.ask("GET", f"{EMBEDDINGS}/slots/narrow")
    assert (slot["is_mixed"], slot["is_searchable"], slot["held_identity"]) == (True, False, "another/32")
    for path, body in (
        (REEMBED, {"model_name": "narrow"}),
        ("/api/v1/search", {"query": "bees", "model_name": "narrow"}),
        ("/api/v1/search/multi-model", {"query": "bees"}),
    ):
        status, problem = await api.ask("POST", path, json=body)
        assert (status, problem["error_code"]) == (409, "embedding_model_mixed"), path
    status, told = await api.ask("DELETE", f"{EMBEDDINGS}/slots/narrow")
    assert (status, told) == (200, {"removed": 3, "model_name": "narrow"})
    run = await finished(api, await begun(api, model_name="narrow"))
    assert run["embedded"] == 3


async def test_vectors_are_deleted_by_document_and_by_execution(api: Api) -> None:
    """The document is then found by words alone, until it is embedded again."""
    await finished(api, await begun(api, model_name="narrow"))
    path = f"{EMBEDDINGS}/documents/d1"
    assert await api.ask("DELETE", path, params={"model_name": "narrow"}) == (
        200,
        {"removed": 1, "model_name": "narrow"},
    )
    assert await api.ask("DELETE", path) == (200, {"removed": 1, "model_name": None})
    for mode, there in ((SearchMode.SEMANTIC, False), (SearchMode.KEYWORD, True)):
        _, found = await api.ask("POST", "/api/v1/search", json={"query": "zebras", "mode": mode.value})
        assert ("d1" in [one["document_id"] for one in found["results"]]) == there
    run = await finished(api, await begun(api, model_name="words"))
    assert (run["total"], run["embedded"]) == (1, 1)
    execution = await api.execution()
    assert await api.ask("DELETE", f"{EMBEDDINGS}/executions/{execution}") == (
        200,
        {"removed": 0, "model_name": None},
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "", {"texts": []}, 422, "validation_failed"),
        ("POST", "", {"texts": "bees"}, 422, "validation_failed"),
        ("POST", "", {"texts": [""]}, 400, "texts_invalid"),
        ("POST", "", {"texts": ["a" * 100_001]}, 400, "texts_invalid"),
        ("POST", "", {"texts": ["a"], "model_name": "wide"}, 404, "embedding_slot_not_found"),
        ("POST", "", {"texts": ["a"], "colour": 1}, 422, "validation_failed"),
        ("GET", "/slots/wide", None, 404, "embedding_slot_not_found"),
        ("GET", "/slots/a%00b", None, 400, "malformed_request"),
        ("DELETE", "/slots/narrow", None, 404, "embedding_slot_not_found"),
        ("DELETE", "/documents/none", None, 404, "document_not_found"),
        ("DELETE", "/documents/d1?model_name=wide", None, 404, "embedding_slot_not_found"),
        ("DELETE", "/executions/none", None, 404, "execution_not_found"),
        ("POST", "/reembed", {}, 422, "validation_failed"),
        ("POST", "/reembed", {"model_name": "wide"}, 404, "embedding_slot_not_found"),
        ("POST", "/reembed", {"model_name": "a\x00b"}, 422, "validation_failed"),
        ("POST", "/reembed", {"model_name": "narrow", "origins": [""]}, 400, "reembedding_invalid"),
        ("GET", "/reembed/01890a5e-0c3b-7d11-9d3c-6c1c3d1b0a55", None, 404, "reembedding_not_found"),
        ("GET", "/reembed/x", None, 404, "path_not_found"),
    ],
)
async def test_what_cannot_be_done_is_a_problem(
    api: Api, method: str, path: str, body: Any, status: int, code: str
) -> None:
    """With its code, and never a 500."""
    told, problem = await api.ask(method, EMBEDDINGS + path, **({} if body is None else {"json": body}))
    assert (told, problem["error_code"]) == (status, code)


async def test_an_execution_of_another_pipeline_is_no_reembedding(api: Api) -> None:
    """Neither is it cancelled as one."""
    execution = await api.execution()
    for method in ("GET", "DELETE"):
        status, problem = await api.ask(method, f"{REEMBED}/{execution}")
        assert (status, problem["error_code"]) == (404, "reembedding_not_found")


async def test_the_command_line_fills_a_slot_and_empties_it(api: Api) -> None:
    """It waits, tells how it went, and its exit code says whether everything is embedded."""
    code, out, _ = await factflow(api, "embedding", "slots")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["SLOT", "words", "narrow"]
    code, out, err = await factflow(api, "embedding", "reembed", "narrow")
    assert (code, out) == (0, "completed: 3 of 3 segments embedded\n")
    assert "segments embedded" in err
    assert (await factflow(api, "embedding", "get", "narrow"))[1].count("hashed-words/32/256") == 2
    assert "6" in (await factflow(api, "embedding", "stats"))[1]
    assert len((await factflow(api, "embedding", "embed", "bees", "--slot", "narrow"))[1].split()) == 32
    code, out, _ = await factflow(api, "embedding", "delete", "--document", "d0", "--slot", "narrow")
    assert (code, out) == (0, "1 vectors taken out\n")
    assert (await factflow(api, "embedding", "delete"))[0] == 2
    assert (await factflow(api, "embedding", "drop-slot", "narrow"))[1] == "2 vectors taken out\n"
    assert (await factflow(api, "embedding", "reembed", "wide"))[0] == 4


@pytest.mark.parametrize("name", ["BAAI/bge-m3", "a:b//c/", "x/metadata"])
async def test_a_slot_may_have_slashes_in_its_name(name: str) -> None:
    """As the models of hubs do; they may be escaped and need not, and a client of OpenAI's finds it too."""
    world = World(other_models=[MemoryEmbeddingModel(model_name=name, dimension=32)])
    await world.index("bees", "Bees gather nectar.")
    async with serving(world=world) as api:
        for written in (quote(name), quote(name, safe="")):
            for there in (f"{EMBEDDINGS}/slots/{written}", f"/v1/models/{written}"):
                async with api.session.get(URL(api.url + there, encoded=True)) as response:
                    told = await response.json()
                    assert (response.status, told.get("model_name", told.get("id"))) == (200, name), there
            _, problem = await api.ask("GET", f"{EMBEDDINGS}/slots/none/{written}")
            assert problem["error_code"] == "embedding_slot_not_found"
        slot = f"{api.url}{EMBEDDINGS}/slots/{quote(name, safe='')}"
        async with api.session.delete(URL(slot, encoded=True)) as response:
            assert await response.json() == {"removed": 1, "model_name": name}


async def test_the_command_line_finds_a_slot_with_slashes_in_its_name() -> None:
    world = World(other_models=[MemoryEmbeddingModel(model_name="BAAI/bge-m3", dimension=32)])
    await world.index("bees", "Bees gather nectar.")
    async with serving(world=world) as api:
        code, out, _ = await factflow(api, "embedding", "get", "BAAI/bge-m3")
        assert (code, "BAAI/bge-m3" in out) == (0, True)
        code, out, _ = await factflow(api, "embedding", "drop-slot", "BAAI/bge-m3")
        assert (code, out) == (0, "1 vectors taken out\n")
        _, slots = await api.ask("GET", f"{EMBEDDINGS}/slots")
        assert [slot["segments"] for slot in slots["slots"]] == [1, 0]


async def test_the_command_line_looks_after_indexes(api: Api) -> None:
    """Made, measured, advised on, rebuilt and dropped."""
    code, out, _ = await factflow(api, "index", "create", "words", "--kind", "ivfflat", "-p", "lists=3")
    assert code == 0
    assert "lists=3" in out
    _, listed = await api.ask("GET", "/api/v1/indexes")
    name = listed["indexes"][0]["index_name"]
    assert name in (await factflow(api, "index", "list"))[1]
    assert "ivfflat" in (await factflow(api, "index", "get", name))[1]
    assert "recall" in (await factflow(api, "index", "recall", name))[1]
    assert (await factflow(api, "index", "rebuild", name))[0] == 0
    for command in (("recommend",), ("auto-manage", "--dry-run")):
        code, out, _ = await factflow(api, "index", *command)
        assert (code, out.splitlines()[1].split()[0]) == (0, "words")
    assert (await factflow(api, "index", "delete", name))[0] == 0
    assert (await factflow(api, "index", "get", name))[0] == 4
    assert (await factflow(api, "index", "create", "words", "-p", "m=x"))[0] == 2


async def test_the_command_line_searches_in_slots(api: Api) -> None:
    """In one, or in several at once; what does not go together is said."""
    await finished(api, await begun(api, model_name="narrow"))
    for arguments in (
        ("semantic", "bees gather", "--slot", "narrow"),
        ("multi-model", "bees gather", "--models", "words,narrow"),
        ("rrf", "bees gather"),
    ):
        code, out, err = await factflow(api, "search", *arguments, "--limit", "1")
        assert (code, err) == (0, "")
        assert "Bees gather nectar." in out
    assert (await factflow(api, "search", "semantic", "bees", "--slot", "wide"))[0] == 4
    assert (await factflow(api, "search", "keyword", "bees", "--slot", "narrow"))[0] == 2
    assert (await factflow(api, "search", "hybrid", "bees", "--models", "narrow"))[0] == 2
    assert (await factflow(api, "search", "hybrid", "bees", "--rerank"))[0] == 2
